package wire

import (
	"encoding/binary"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// ReadCode is an owner's answer to one read.
type ReadCode uint8

// Read codes.
const (
	Value    ReadCode = iota
	Doubtful          // a value, but the owner could not renew its lease: it may be behind
	Moved             // not the owner (any more)
	Again             // answered operations are still awaited, or the store is being read
	Failed            // the store could not be read

	IDAbsent  // the idempotency key was not counted
	IDCounted // it was, and is on its way to the store
	IDStored  // it was, and the store has it
)

// Ask is one read: a counter's total, or, with an ID, what is known of that idempotency key.
type Ask = counter.IDRef

// ReadResult is the answer to one read.
type ReadResult struct {
	Code        ReadCode
	Total       int64
	Fingerprint uint64 // with IDCounted and IDStored
}

func (c ReadCode) counted() bool { return c == IDCounted || c == IDStored }

// AppendReads appends what a read request asks behind its header.
func AppendReads(b []byte, asks []Ask) []byte {
	b = binary.AppendUvarint(b, uint64(len(asks)))
	for _, a := range asks {
		b = binary.AppendUvarint(b, uint64(len(a.Key)))
		b = append(b, a.Key...)
		b = binary.AppendUvarint(b, uint64(len(a.ID)))
		b = append(b, a.ID...)
	}
	return b
}

// DecodeReads reads what stands behind the header; it aliases b.
func DecodeReads(b []byte, into []Ask) ([]Ask, error) {
	r := reader{b: b}
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		into = append(into, Ask{Key: r.text(), ID: r.text()})
	}
	return into, r.end()
}

// AppendReadResults appends the answers in the order of the keys.
func AppendReadResults(b []byte, results []ReadResult) []byte {
	b = append(b, Version)
	b = binary.AppendUvarint(b, uint64(len(results)))
	for _, x := range results {
		b = append(b, byte(x.Code))
		b = binary.AppendVarint(b, x.Total)
		if x.Code.counted() {
			b = binary.AppendUvarint(b, x.Fingerprint)
		}
	}
	return b
}

// DecodeReadResults reads exactly want answers.
func DecodeReadResults(b []byte, want int) ([]ReadResult, error) {
	r := reader{b: b}
	if v := r.byte(); v != Version {
		r.fail("version %d, this node speaks %d", v, Version)
	}
	n := r.count(2)
	if n != want && r.err == nil {
		r.fail("%d answers for %d reads", n, want)
	}
	var out []ReadResult
	for ; n > 0 && r.err == nil; n-- {
		x := ReadResult{Code: ReadCode(r.byte()), Total: r.varint()}
		if x.Code.counted() {
			x.Fingerprint = r.uvarint()
		}
		out = append(out, x)
	}
	return out, r.end()
}
