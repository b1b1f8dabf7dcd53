package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// errEnd is the end of a segment, just behind a whole record.
var errEnd = errors.New("the end")

// badRecord is what stands where a record should be: a torn tail or damage.
type badRecord struct{ reason string }

func (e *badRecord) Error() string { return e.reason }

// reader reads one segment record by record, with memory for one.
type reader struct {
	file File
	size int64 // of the file
	mark uint32
	next int64 // where the next record begins

	in  *bufio.Reader
	buf []byte
}

// open reads the header of a segment. A file without a whole header gives errTornHeader.
func (r *reader) open(f File) (h header, err error) {
	r.file = f
	if r.size, err = f.Size(); err != nil {
		return h, err
	}
	r.grow(headerBytes)
	b := r.buf[:min(headerBytes, r.size)]
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, r.size), b); err != nil {
		return h, err
	}
	if r.mark, err = h.decode(b); err != nil {
		return h, err
	}
	r.next = headerBytes
	rest := io.NewSectionReader(f, r.next, r.size-r.next)
	if r.in == nil {
		r.in = bufio.NewReaderSize(rest, 64<<10)
	} else {
		r.in.Reset(rest)
	}
	return h, nil
}

// record returns the next record's body, valid until the next call: errEnd behind the last one, a *badRecord where
// something else stands, and any other error where the file cannot be read.
func (r *reader) record() ([]byte, error) {
	left := r.size - r.next
	switch {
	case left == 0:
		return nil, errEnd
	case left < frameBytes:
		return nil, &badRecord{fmt.Sprintf("%d bytes are no record", left)}
	}
	r.grow(frameBytes)
	if _, err := io.ReadFull(r.in, r.buf[:frameBytes]); err != nil {
		return nil, err
	}
	n, err := bodyLength(r.buf, r.mark, left-frameBytes)
	if err != nil {
		return nil, &badRecord{err.Error()}
	}
	r.grow(frameBytes + n)
	b := r.buf[:frameBytes+n]
	if _, err := io.ReadFull(r.in, b[frameBytes:]); err != nil {
		return nil, err
	}
	if err := check(b, r.next); err != nil {
		return nil, &badRecord{err.Error()}
	}
	r.next += int64(len(b))
	return b[frameBytes:], nil
}

// grow makes buf hold n bytes and keeps what is in it.
func (r *reader) grow(n int) {
	if n > cap(r.buf) {
		b := make([]byte, max(n, min(2*cap(r.buf), frameBytes+MaxRecordBytes)))
		copy(b, r.buf)
		r.buf = b
	}
	r.buf = r.buf[:cap(r.buf)]
}

// torn says whether what stands from r.next to the end can be what a crash leaves of the one record that was being
// written: no more than one record's bytes, and no whole record in them. It returns nil or why not.
func (r *reader) torn() (*badRecord, error) {
	n := r.size - r.next
	if n > frameBytes+MaxRecordBytes {
		return &badRecord{fmt.Sprintf("%d bytes stand behind it, more than one interrupted write leaves", n)}, nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r.file, r.next, n), b); err != nil {
		return nil, err
	}
	mark := []byte{byte(r.mark >> 24), byte(r.mark >> 16), byte(r.mark >> 8), byte(r.mark)}
	for at := 1; at+frameBytes <= len(b); at++ {
		i := bytes.Index(b[at:], mark)
		if i < 0 {
			break
		}
		at += i
		if r.whole(b[at:], r.next+int64(at)) {
			return &badRecord{fmt.Sprintf("a whole record follows at byte %d", r.next+int64(at))}, nil
		}
	}
	return nil, nil
}

// whole says whether b begins with a record that was written at that offset.
func (r *reader) whole(b []byte, offset int64) bool {
	if len(b) < frameBytes {
		return false
	}
	n, err := bodyLength(b, r.mark, int64(len(b)-frameBytes))
	return err == nil && check(b[:frameBytes+n], offset) == nil
}

// blank says whether the file holds nothing but zeros from offset on: a segment whose creation was interrupted.
func (r *reader) blank(offset int64) (bool, error) {
	rest := io.NewSectionReader(r.file, offset, max(0, r.size-offset))
	b := make([]byte, 4096)
	for {
		n, err := rest.Read(b)
		if len(bytes.Trim(b[:n], "\x00")) > 0 {
			return false, nil
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}
