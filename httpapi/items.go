package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// Errors of a body that holds no increments at all.
var (
	errNoItems   = errors.New(`the body must be a JSON array such as [{"key":"page:1","value":3}], or one such object on each line`)
	errManyItems = errors.New("the body holds too many increments, at most " + strconv.Itoa(maxItems) + ": send them in several requests")
)

// textBadItemID refuses the id of an item.
const textBadItemID = "must be a string of 1 to 255 printable ASCII characters"

// read reads all items of a body. An error is about the body as a whole; errManyItems: there are more than maxItems.
func (b *batch) read(body []byte) error {
	body = bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(body) == 0 || looksLikeForm(body):
		return errNoItems
	case body[0] != '[':
		b.lines = true
		return b.readLines(body)
	}
	b.lines = false
	if b.scanArray(body) {
		return nil
	}
	b.in, b.refused, b.items = b.in[:0], b.refused[:0], 0
	return b.readArray(body)
}

// readLines reads one object a line. Blank lines are none.
func (b *batch) readLines(body []byte) error {
	s := scanner{scratch: b.scratch[:0]}
	defer func() { b.scratch = kept(s.scratch) }()
	for len(body) > 0 {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\n"))
		if line = bytes.Trim(line, " \t\r"); len(line) == 0 {
			continue
		}
		if b.items == maxItems {
			return errManyItems
		}
		var f fields
		s.rest = line
		if !s.object(&f) || !s.ended() {
			var err error
			if f, err = read(line); err != nil && err != errNoObject {
				b.refuse(fasthttp.StatusBadRequest, problem{detail, "each line must be one JSON object: " + err.Error()})
				continue
			}
		}
		b.add(f)
	}
	return nil
}

// scanArray reads the arrays that clients really send, as scan does with one object. False: left to readArray.
func (b *batch) scanArray(body []byte) bool {
	s := scanner{rest: body, scratch: b.scratch[:0]}
	defer func() { b.scratch = kept(s.scratch) }()
	s.take('[')
	for first := true; !s.take(']'); first = false {
		var f fields
		if !first && !s.take(',') || !s.object(&f) || b.items == maxItems {
			return false
		}
		b.add(f)
	}
	return s.ended()
}

// readArray reads any array, and says what is wrong with what is none.
func (b *batch) readArray(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := d.ReadToken(); err != nil {
		return malformed(err)
	}
	for d.PeekKind() != jsontext.KindEndArray {
		f, err := readFields(d)
		switch {
		case err != nil && err != errNoObject:
			return err
		case b.items == maxItems:
			return errManyItems
		}
		b.add(f)
	}
	if _, err := d.ReadToken(); err != nil {
		return malformed(err)
	}
	end := d.InputOffset()
	if _, more := d.ReadToken(); more != io.EOF {
		return fmt.Errorf("malformed JSON: more follows the value that ends at byte %d", end)
	}
	return nil
}

// add takes an item in: to be counted, or to be refused when its fields are wrong.
func (b *batch) add(f fields) {
	delta, integer := f.value.integer()
	hasID := f.id.kind != kindAbsent && f.id.kind != kindNull
	badID := hasID && (f.id.kind != kindString || !validID(f.id.text))
	if !integer || badID || f.bounded() || f.key.kind != kindString || !validKey(f.key.text) {
		problems := itemFaults(f)
		if badID {
			problems = append(problems, problem{"id", textBadItemID})
		}
		b.refuse(fasthttp.StatusUnprocessableEntity, problems...)
		return
	}
	if !b.grant.MayKey(f.key.text) {
		b.refuse(fasthttp.StatusForbidden, problem{"key", textForeignKey})
		return
	}
	in := node.Increment{Key: f.key.text, Delta: delta}
	if hasID {
		in.ID = f.id.text
	}
	b.in = append(b.in, in)
	b.items++
}

// itemFaults is faults of an item, which can have no bounds.
func itemFaults(f fields) []problem {
	given := f.boundFields()
	f.min, f.max, f.overflow = field{}, field{}, field{}
	problems := faults(f)
	for _, name := range given {
		problems = append(problems, problem{name, textItemBound})
	}
	return problems
}

func (b *batch) refuse(status int, problems ...problem) {
	b.refused = append(b.refused, refusedItem{b.items, status, problems})
	b.items++
}

// kept returns a scratch to use again, unless an unusual request made it large.
func kept(scratch []byte) []byte {
	if cap(scratch) > 64*MaxKeyBytes {
		return nil
	}
	return scratch
}
