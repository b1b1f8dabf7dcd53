package httpapi

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// validKey tells whether key is 1 to MaxKeyBytes bytes of UTF-8 without NUL: what every store can hold.
func validKey(key []byte) bool {
	return len(key) > 0 && len(key) <= MaxKeyBytes && bytes.IndexByte(key, 0) < 0 && utf8.Valid(key)
}

// unescapePath appends raw to dst with %XX replaced by the byte. Everything else stands for itself: "+" is a plus. A "#"
// is refused: it starts a fragment, which clients cut off before they send, so one that arrives is a forgotten %23.
func unescapePath(dst, raw []byte) ([]byte, error) {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '#':
			return nil, fmt.Errorf("a # in the path must be written as %%23")
		case '%':
			if i+2 >= len(raw) || hexDigit(raw[i+1]) < 0 || hexDigit(raw[i+2]) < 0 {
				return nil, fmt.Errorf("%q in the path is not a percent-encoded byte: write a percent sign as %%25",
					raw[i:min(i+3, len(raw))])
			}
			dst = append(dst, byte(hexDigit(raw[i+1])<<4|hexDigit(raw[i+2])))
			i += 2
		default:
			dst = append(dst, raw[i])
		}
	}
	return dst, nil
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
