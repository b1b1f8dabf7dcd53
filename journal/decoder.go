package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Stream is what a log holds of one partition: Ops[0] has the number First, the next First+1, and so on.
type Stream struct {
	First uint64
	Ops   []Op
}

// end is the number behind the last operation.
func (s *Stream) end() uint64 { return s.First + uint64(len(s.Ops)) }

// put takes the operation numbered n. A number that is there already must have the same content (R1).
func (s *Stream) put(n uint64, op Op) error {
	switch {
	case n == s.end():
		s.Ops = append(s.Ops, op)
	case n > s.end():
		return fmt.Errorf("number %d comes behind %d: numbers between are missing", n, s.end()-1)
	case n < s.First:
		return fmt.Errorf("number %d comes behind %d: the numbers run backwards", n, s.end()-1)
	case s.Ops[n-s.First] != op:
		return fmt.Errorf("number %d stands there twice with different content", n)
	}
	return nil
}

// skip forgets what is before next: the store has it.
func (s *Stream) skip(next uint64) {
	if next > s.First {
		s.Ops = s.Ops[min(next-s.First, uint64(len(s.Ops))):]
		s.First = next
	}
}

// decoder takes values off a record's body. After the first fault it returns zeros.
type decoder struct {
	s   string
	err error
}

var errShort = errors.New("a value is cut short or too large")

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.s = ""
}

func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.s)) {
		d.fail(errShort)
		return ""
	}
	v := d.s[:n]
	d.s = d.s[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.take(1); v != "" {
		return v[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.byte()
		if shift == 63 && b > 1 {
			break
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	d.fail(errShort)
	return 0
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// op reads one operation; its strings share the body's memory.
func (d *decoder) op() Op {
	op := Op{Flags: d.byte(), Delta: d.varint()}
	op.Key = d.take(d.uvarint())
	op.ID = d.take(d.uvarint())
	return op
}

// decode adds a record's operations to the streams and returns when it was written. The error says what is wrong
// with a record that passed its checksum, so not the disk but a program did it.
func decode(body []byte, streams map[uint32]*Stream) (written time.Time, err error) {
	if t := body[0]; t != typeOps {
		return written, fmt.Errorf("%w: it has a record of type %d: start the version that wrote it", ErrFormat, t)
	}
	written = time.UnixMilli(int64(binary.BigEndian.Uint64(body[1:bodyBytes])))
	d := decoder{s: string(body[bodyBytes:])}
	for d.s != "" && d.err == nil {
		d.batch(streams)
	}
	return written, d.err
}

func (d *decoder) batch(streams map[uint32]*Stream) {
	partition, first, count := d.uvarint(), d.uvarint(), d.uvarint()
	switch {
	case d.err != nil:
		return
	case partition > math.MaxUint32:
		d.fail(fmt.Errorf("partition %d is out of range", partition))
	case first == 0 || first > math.MaxUint64-count:
		d.fail(fmt.Errorf("%d operations of partition %d from number %d", count, partition, first))
	}
	s := streams[uint32(partition)]
	if s == nil && d.err == nil {
		s = &Stream{First: first}
		streams[uint32(partition)] = s
	}
	if count == 0 && d.err == nil {
		s.skip(first)
		return
	}
	for n := first; n < first+count && d.err == nil; n++ {
		op := d.op()
		if d.err != nil {
			return
		}
		if err := s.put(n, op); err != nil {
			d.fail(fmt.Errorf("partition %d: %w", partition, err))
		}
	}
}
