package wire

import (
	"encoding/binary"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Copy is what a second node is to hold of a partition's operations of the sender: First, First+1, ..., behind which the store
// has everything up to Persisted.
type Copy struct {
	Partition uint32
	Persisted uint64
	First     uint64
	Ops       []counter.Op
}

// AppendCopy appends one copy; the count of copies goes before the first.
func AppendCopy(b []byte, c *Copy) []byte {
	b = binary.AppendUvarint(b, uint64(c.Partition))
	b = binary.AppendUvarint(b, c.Persisted)
	b = binary.AppendUvarint(b, c.First)
	b = binary.AppendUvarint(b, uint64(len(c.Ops)))
	return appendOps(b, c.Ops)
}

// DecodeCopies reads the copies behind the header. Keys alias b.
func DecodeCopies(b []byte) (out []Copy, err error) {
	r := reader{b: b}
	for n := r.count(4); n > 0 && r.err == nil; n-- {
		c := Copy{Partition: r.u32(), Persisted: r.uvarint(), First: r.uvarint()}
		c.Ops = r.ops()
		if c.First == 0 {
			r.fail("a copy starts at number 0")
		}
		out = append(out, c)
	}
	return out, r.end()
}

// AppendHeld appends the answer to copies: the highest number held of each, in their order.
func AppendHeld(b []byte, held []uint64) []byte {
	b = append(b, Version)
	b = binary.AppendUvarint(b, uint64(len(held)))
	for _, n := range held {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// DecodeHeld reads exactly want numbers.
func DecodeHeld(b []byte, want int) (held []uint64, err error) {
	r := reader{b: b}
	if v := r.byte(); v != Version {
		r.fail("version %d, this node speaks %d", v, Version)
	}
	n := r.count(1)
	if n != want && r.err == nil {
		r.fail("%d answers for %d copies", n, want)
	}
	for ; n > 0 && r.err == nil; n-- {
		held = append(held, r.uvarint())
	}
	return held, r.end()
}
