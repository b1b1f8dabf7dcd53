package wire

import (
	"encoding/binary"
	"unsafe"
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
)

// ReadResult is the answer to one read.
type ReadResult struct {
	Code  ReadCode
	Total int64
}

// AppendReads appends the keys of a read request behind its header.
func AppendReads(b []byte, keys []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(keys)))
	for _, k := range keys {
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
	}
	return b
}

// DecodeReads reads the keys behind the header; they alias b.
func DecodeReads(b []byte, into []string) ([]string, error) {
	r := reader{b: b}
	for n := r.count(1); n > 0 && r.err == nil; n-- {
		k := r.take(r.count(1))
		into = append(into, unsafe.String(unsafe.SliceData(k), len(k)))
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
		out = append(out, ReadResult{Code: ReadCode(r.byte()), Total: r.varint()})
	}
	return out, r.end()
}
