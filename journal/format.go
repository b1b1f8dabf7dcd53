package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/google/uuid"
)

const (
	magic         = "pinojrnl"
	formatVersion = 1
	headerBytes   = 72
	frameBytes    = 12 // mark, length, checksum
	bodyBytes     = 9  // type, time of writing

	typeOps byte = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header opens a segment.
type header struct {
	cluster uint64
	origin  uuid.UUID
	segment uint64
	before  uint64 // bytes in the segment before this one, 0 for the first: a shortened one is noticed
	created time.Time
}

// errTornHeader says that a header was never written whole, or was mangled.
var errTornHeader = errors.New("the segment's header does not check")

// encode returns the header's bytes and the segment's mark. Random bytes make the mark the segment's own.
func (h *header) encode() (b [headerBytes]byte, mark uint32) {
	copy(b[:], magic)
	binary.BigEndian.PutUint32(b[8:], formatVersion)
	binary.BigEndian.PutUint64(b[12:], h.cluster)
	copy(b[20:36], h.origin[:])
	binary.BigEndian.PutUint64(b[36:], h.segment)
	binary.BigEndian.PutUint64(b[44:], h.before)
	binary.BigEndian.PutUint64(b[52:], uint64(h.created.UnixMilli()))
	_, _ = rand.Read(b[60:68]) // never fails: it ends the process instead
	mark = crc32.Checksum(b[:68], castagnoli)
	binary.BigEndian.PutUint32(b[68:], mark)
	return b, mark
}

// decode reads a header. The format is checked before the checksum, whose place another format may have moved.
func (h *header) decode(b []byte) (mark uint32, err error) {
	if len(b) < headerBytes || string(b[:8]) != magic {
		return 0, errTornHeader
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != formatVersion {
		return 0, fmt.Errorf("%w: it is format %d, this version reads %d: start the version that wrote it, let it empty "+
			"the log, and upgrade then", ErrFormat, v, formatVersion)
	}
	mark = crc32.Checksum(b[:68], castagnoli)
	if mark != binary.BigEndian.Uint32(b[68:]) {
		return 0, errTornHeader
	}
	h.cluster = binary.BigEndian.Uint64(b[12:])
	copy(h.origin[:], b[20:36])
	h.segment = binary.BigEndian.Uint64(b[36:])
	h.before = binary.BigEndian.Uint64(b[44:])
	h.created = time.UnixMilli(int64(binary.BigEndian.Uint64(b[52:])))
	return mark, nil
}

// frame completes the record b, a frame and a body, for its place in a segment.
func frame(b []byte, mark uint32, offset int64, now time.Time) {
	binary.BigEndian.PutUint32(b, mark)
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)-frameBytes))
	binary.BigEndian.PutUint64(b[frameBytes+1:], uint64(now.UnixMilli()))
	binary.BigEndian.PutUint32(b[8:], checksum(b, offset))
}

// checksum covers the record's mark, length and body, and starts from where the record stands. Different starting values never
// meet again over the same bytes, so a record in a wrong place never passes.
func checksum(b []byte, offset int64) uint32 {
	c := crc32.Update(uint32(offset), castagnoli, b[:8])
	return crc32.Update(c, castagnoli, b[frameBytes:])
}

// bodyLength reads the length in a record's frame; left is what the file still has behind the frame.
func bodyLength(b []byte, mark uint32, left int64) (int, error) {
	if binary.BigEndian.Uint32(b) != mark {
		return 0, errors.New("no record begins here")
	}
	n := binary.BigEndian.Uint32(b[4:])
	switch {
	case n < bodyBytes || n > MaxRecordBytes:
		return 0, fmt.Errorf("a record of %d bytes cannot be", n)
	case int64(n) > left:
		return 0, fmt.Errorf("the record has %d bytes, the file only %d more", n, left)
	}
	return int(n), nil
}

// check says whether the whole record b is what was written at that offset.
func check(b []byte, offset int64) error {
	if checksum(b, offset) != binary.BigEndian.Uint32(b[8:]) {
		return errors.New("the record's checksum does not match")
	}
	return nil
}
