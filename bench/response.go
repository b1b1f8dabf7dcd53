package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxBody is the longest body that is skipped rather than refused, in bytes.
const maxBody = 1 << 20

var errFraming = errors.New("the response has no Content-Length")

// response is what the generator looks at.
type response struct {
	status int
	close  bool   // Connection: close
	later  bool   // Counted: later
	length int    // of the body, bytes; -1: not said
	body   []byte // until the next read; nil when it did not fit into the reader's buffer, unless whole
	whole  bool   // set by the caller: keep every body
	large  []byte // for those that do not fit
}

// read reads one final response; 1xx are skipped. io.EOF means that the connection ended before the first byte.
func (r *response) read(br *bufio.Reader) error {
	for {
		if err := r.readHead(br); err != nil {
			return err
		}
		if r.status >= 200 {
			return r.readBody(br)
		}
	}
}

func (r *response) readHead(br *bufio.Reader) error {
	line, err := br.ReadSlice('\n')
	if err != nil {
		if err == io.EOF && len(line) > 0 {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	*r = response{length: -1, whole: r.whole, large: r.large}
	if err := r.parseStatus(line); err != nil {
		return err
	}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return unexpected(err)
		}
		if line = trimLine(line); len(line) == 0 {
			return nil
		}
		if err := r.parseHeader(line); err != nil {
			return err
		}
	}
}

// trimLine cuts the end of a line that ReadSlice returned.
func trimLine(line []byte) []byte {
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

func (r *response) parseStatus(line []byte) error {
	const prefix = "HTTP/1."
	if len(line) < len("HTTP/1.1 200\n") || string(line[:len(prefix)]) != prefix || line[8] != ' ' {
		return fmt.Errorf("not an HTTP/1.1 status line: %.40q", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return fmt.Errorf("not an HTTP/1.1 status line: %.40q", line)
		}
		r.status = r.status*10 + int(c-'0')
	}
	if r.status < 100 || r.status > 599 {
		return fmt.Errorf("status %d is not in 100..599", r.status)
	}
	r.close = line[7] == '0' // HTTP/1.0 closes unless it says otherwise
	return nil
}

// parseHeader looks only at names that begin with c or t: most lines cost one comparison.
func (r *response) parseHeader(line []byte) error {
	if c := line[0] | 0x20; c != 'c' && c != 't' {
		return nil
	}
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return fmt.Errorf("not a header: %.40q", line)
	}
	value = bytes.TrimSpace(value)
	switch {
	case equalFold(name, "content-length"):
		n, ok := parseLength(value)
		if !ok {
			return fmt.Errorf("bad Content-Length %.40q", value)
		}
		r.length = n
	case equalFold(name, "connection"):
		r.parseConnection(value)
	case equalFold(name, "counted"):
		r.later = equalFold(value, "later")
	case equalFold(name, "transfer-encoding"):
		return errFraming
	}
	return nil
}

func (r *response) parseConnection(value []byte) {
	for option := range bytes.SplitSeq(value, []byte{','}) {
		option = bytes.TrimSpace(option)
		switch {
		case equalFold(option, "close"):
			r.close = true
		case equalFold(option, "keep-alive"):
			r.close = false
		}
	}
}

func (r *response) readBody(br *bufio.Reader) error {
	if r.status == 204 || r.status == 304 || r.length == 0 {
		return nil
	}
	if r.length < 0 {
		return errFraming
	}
	if r.length <= br.Size() {
		body, err := br.Peek(r.length)
		if err != nil {
			return unexpected(err)
		}
		r.body = body
	}
	if r.body == nil && r.whole {
		r.large = slices.Grow(r.large[:0], r.length)[:r.length]
		_, err := io.ReadFull(br, r.large)
		r.body = r.large
		return unexpected(err)
	}
	_, err := br.Discard(r.length)
	return unexpected(err)
}

// unexpected tells an end in the middle of a response from one between two.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func parseLength(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > maxBody {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// equalFold compares with a lower-case ASCII word, without the tables of bytes.EqualFold.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
