package httpapi

import (
	"strconv"
	"unicode/utf8"
)

// kind is what stands under a name of the increment's JSON object.
type kind uint8

// Kinds.
const (
	kindAbsent kind = iota
	kindNull
	kindString // text: what it says, without quotes and escapes
	kindNumber // text: as it was written
	kindOther  // true, false, an object or an array
)

// field is the value of a name.
type field struct {
	kind kind
	text []byte
}

// blank tells whether the field counts as not given.
func (f field) blank() bool {
	return f.kind == kindAbsent || f.kind == kindNull || f.kind == kindString && len(f.text) == 0
}

// integer returns the field as an integer: a JSON number without fraction and exponent, or the same in a string.
func (f field) integer() (int64, bool) {
	const longest = len("-9223372036854775808")
	if f.kind != kindNumber && f.kind != kindString || len(f.text) > longest || !integral(f.text) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(f.text), 10, 64)
	return n, err == nil
}

// integral tells whether text is an integer as JSON writes it: no plus, no leading zero, no blank.
func integral(text []byte) bool {
	if len(text) > 0 && text[0] == '-' {
		text = text[1:]
	}
	if len(text) == 0 || text[0] == '0' && len(text) > 1 {
		return false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// fields is the body of an increment. Other names are ignored, as the prototype does.
type fields struct {
	key, value         field
	id                 field // only of an item of a batch
	min, max, overflow field // bounds: only of a single increment
}

// scan reads the bodies that clients really send, without allocating: an object with "key", "value" and "id", each at most
// once, of strings and integers. Anything else - other names, other types, errors - returns false and is left to the
// strict reader, which knows all of JSON and says what is wrong. So scan may refuse anything, but what it accepts
// must be exactly what the strict reader would have returned: the fuzz test compares them.
//
// Texts point into body, or into scratch when they had escapes; scratch is returned, grown, for the next time.
func scan(body, scratch []byte) (f fields, grown []byte, ok bool) {
	s := scanner{rest: body, scratch: scratch[:0]}
	ok = s.object(&f) && s.ended()
	return f, s.scratch, ok
}

type scanner struct {
	rest    []byte // what has not been read
	scratch []byte // texts without their escapes, one after the other
}

// object reads an object with the three names into f, which must be zero.
func (s *scanner) object(f *fields) bool {
	if !s.take('{') {
		return false
	}
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		name, ok := s.text()
		if !ok || !s.take(':') {
			return false
		}
		var dst *field
		switch string(name) {
		case "key":
			dst = &f.key
		case "value":
			dst = &f.value
		case "id":
			dst = &f.id
		}
		if dst == nil || dst.kind != kindAbsent {
			return false
		}
		if *dst, ok = s.value(); !ok {
			return false
		}
	}
	return true
}

// ended tells whether nothing but space is left.
func (s *scanner) ended() bool {
	s.space()
	return len(s.rest) == 0
}

// space skips what JSON allows between tokens.
func (s *scanner) space() {
	for len(s.rest) > 0 {
		switch s.rest[0] {
		case ' ', '\t', '\r', '\n':
			s.rest = s.rest[1:]
		default:
			return
		}
	}
}

// take skips space and then c, if it is there.
func (s *scanner) take(c byte) bool {
	s.space()
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// value reads a string or an integer.
func (s *scanner) value() (field, bool) {
	s.space()
	if len(s.rest) > 0 && s.rest[0] == '"' {
		text, ok := s.text()
		return field{kindString, text}, ok
	}
	end := 0
	for end < len(s.rest) && (s.rest[end] == '-' || s.rest[end] >= '0' && s.rest[end] <= '9') {
		end++
	}
	number := s.rest[:end]
	s.rest = s.rest[end:]
	// What follows, be it ".5" or "e3", is no comma and no brace: the caller refuses it.
	return field{kindNumber, number}, integral(number)
}

// text reads a string.
func (s *scanner) text() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	escaped := false
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			if !utf8.Valid(text) {
				return nil, false
			}
			if escaped {
				return s.unescape(text)
			}
			return text, true
		case c < ' ':
			return nil, false
		case c == '\\':
			escaped = true
			i++ // whatever is escaped does not end the string
		}
	}
	return nil, false
}
