package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// errNoObject: the body is JSON, or empty, but has no fields at all.
var errNoObject = errors.New(`the body must be a JSON object such as {"key":"page:1","value":3}`)

// read reads any body of an increment. It is strict: names that are repeated at any depth, bad UTF-8, surrogates without
// their other half and trailing bytes are errors. It allocates; scan comes before it.
//
// Its error is errNoObject, or says where and why the body is no JSON.
func read(body []byte) (fields, error) {
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return fields{}, errNoObject
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	f, err := readFields(d)
	if err == nil || err == errNoObject {
		end := d.InputOffset()
		if _, more := d.ReadToken(); more != io.EOF {
			err = fmt.Errorf("malformed JSON: more follows the value that ends at byte %d", end)
		}
	}
	return f, err
}

func readFields(d *jsontext.Decoder) (f fields, err error) {
	if d.PeekKind() != jsontext.KindBeginObject {
		if err := d.SkipValue(); err != nil {
			return fields{}, malformed(err)
		}
		return fields{}, errNoObject
	}
	if _, err := d.ReadToken(); err != nil {
		return fields{}, malformed(err)
	}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			return fields{}, malformed(err)
		}
		var ignored field
		dst := &ignored
		switch name.String() {
		case "key":
			dst = &f.key
		case "value":
			dst = &f.value
		case "id":
			dst = &f.id
		case "min":
			dst = &f.min
		case "max":
			dst = &f.max
		case "overflow":
			dst = &f.overflow
		}
		if *dst, err = readField(d); err != nil {
			return fields{}, malformed(err)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return fields{}, malformed(err)
	}
	return f, nil
}

func readField(d *jsontext.Decoder) (field, error) {
	switch d.PeekKind() {
	case jsontext.KindNull:
		return field{kind: kindNull}, d.SkipValue()
	case jsontext.KindString:
		token, err := d.ReadToken()
		if err != nil {
			return field{}, err
		}
		return field{kindString, []byte(token.String())}, nil
	case jsontext.KindNumber:
		number, err := d.ReadValue()
		return field{kindNumber, bytes.Clone(number)}, err
	}
	return field{kind: kindOther}, d.SkipValue()
}

// malformed puts the library's error into words for a client.
func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		switch {
		case errors.Is(syntax.Err, jsontext.ErrDuplicateName):
			return fmt.Errorf("malformed JSON: the name %q stands twice in one object", syntax.JSONPointer.LastToken())
		case errors.Is(syntax.Err, io.ErrUnexpectedEOF):
			return fmt.Errorf("malformed JSON: it ends too early, at byte %d", syntax.ByteOffset)
		}
		return fmt.Errorf("malformed JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("malformed JSON: it ends too early")
	}
	return fmt.Errorf("malformed JSON: %w", err)
}
