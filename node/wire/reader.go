package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// reader takes values off a message. After the first fault it returns zeros, and err says what was wrong.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("wire: "+format, args...)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("the message is cut short")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("the message is cut short")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("a number is cut short or too large")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("a number is cut short or too large")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) u32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail("partition %d is out of range", v)
		return 0
	}
	return uint32(v)
}

// count reads the number of items that follow, each of at least size bytes.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.fail("%d items cannot fit in the %d bytes left", v, len(r.b))
		return 0
	}
	return int(v)
}

func (r *reader) id() (id counter.Origin) {
	copy(id[:], r.take(len(id)))
	return id
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes behind the end", len(r.b))
	}
	return r.err
}
