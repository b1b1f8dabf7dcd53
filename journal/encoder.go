package journal

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// encoder collects batches in records, one behind the other in one reused buffer. Marks and checksums are left to frame:
// they depend on where a record will stand.
type encoder struct {
	buf     []byte
	records []record
	notes   []note
}

// record is buf[start:end]; the notes up to notes are of it and of the records before it.
type record struct {
	start, end, notes, ops int
}

// note says how far a batch takes its partition.
type note struct {
	partition uint32
	last      uint64
}

const (
	maxBatchHead = binary.MaxVarintLen32 + 2*binary.MaxVarintLen64
	// keepBytes bounds the buffer that is kept for the next Sync.
	keepBytes = 8 * MaxRecordBytes
)

func (e *encoder) reset() {
	if cap(e.buf) > keepBytes {
		e.buf = nil
	}
	e.buf, e.records, e.notes = e.buf[:0], e.records[:0], e.notes[:0]
}

// room is what a batch's operations may take in the open record; 0 asks for a new one.
func (e *encoder) room() int {
	if len(e.records) == 0 {
		return 0
	}
	used := len(e.buf) - e.records[len(e.records)-1].start - frameBytes
	return MaxRecordBytes - used - maxBatchHead
}

func (e *encoder) open() {
	r := record{start: len(e.buf), notes: len(e.notes)}
	e.buf = append(e.buf, make([]byte, frameBytes+bodyBytes)...)
	e.buf[r.start+frameBytes] = typeOps
	r.end = len(e.buf)
	e.records = append(e.records, r)
}

// add encodes operations first, first+1, ... of a partition, in as many records as they need.
func (e *encoder) add(partition uint32, first uint64, ops []Op) error {
	for len(ops) > 0 {
		n := fit(ops, e.room())
		if n == 0 {
			const whole = MaxRecordBytes - bodyBytes - maxBatchHead
			if size := sizeOf(&ops[0]); size > whole {
				return fmt.Errorf("operation %d of partition %d takes %d bytes, at most %d fit", first, partition, size, whole)
			}
			e.open()
			continue
		}
		e.batch(partition, first, ops[:n])
		first, ops = first+uint64(n), ops[n:]
	}
	return nil
}

// skip encodes that the store has everything before next.
func (e *encoder) skip(partition uint32, next uint64) {
	if e.room() <= 0 {
		e.open()
	}
	e.batch(partition, next, nil)
}

// batch encodes what fits in the open record.
func (e *encoder) batch(partition uint32, first uint64, ops []Op) {
	b := binary.AppendUvarint(e.buf, uint64(partition))
	b = binary.AppendUvarint(b, first)
	b = binary.AppendUvarint(b, uint64(len(ops)))
	for i := range ops {
		op := &ops[i]
		b = append(b, op.Flags)
		b = binary.AppendVarint(b, op.Delta)
		b = binary.AppendUvarint(b, uint64(len(op.Key)))
		b = append(b, op.Key...)
		b = binary.AppendUvarint(b, uint64(len(op.ID)))
		b = append(b, op.ID...)
	}
	e.buf = b
	e.notes = append(e.notes, note{partition, first + uint64(len(ops)) - 1})
	r := &e.records[len(e.records)-1]
	r.end, r.notes, r.ops = len(b), len(e.notes), r.ops+len(ops)
}

// fit says how many of the first operations take no more than room bytes.
func fit(ops []Op, room int) int {
	for i := range ops {
		if room -= sizeOf(&ops[i]); room < 0 {
			return i
		}
	}
	return len(ops)
}

func sizeOf(op *Op) int {
	zigzag := uint64(op.Delta<<1) ^ uint64(op.Delta>>63)
	return 1 + varintLen(zigzag) +
		varintLen(uint64(len(op.Key))) + len(op.Key) +
		varintLen(uint64(len(op.ID))) + len(op.ID)
}

func varintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
