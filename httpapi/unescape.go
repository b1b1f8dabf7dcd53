package httpapi

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends text to the scratch with JSON's escapes replaced, and returns that piece. It refuses unknown escapes
// and surrogates without their other half, which are no characters.
func (s *scanner) unescape(text []byte) ([]byte, bool) {
	// Escapes only shrink. Room for all of it beforehand, so that no piece moves while another still points to it.
	start := len(s.scratch)
	if cap(s.scratch)-start < len(text) {
		s.scratch = make([]byte, 0, max(len(text), 2*MaxKeyBytes))
		start = 0
	}
	out := s.scratch
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		if i+1 >= len(text) {
			return nil, false
		}
		if text[i+1] != 'u' {
			c, ok := shortEscape(text[i+1])
			if !ok {
				return nil, false
			}
			out = append(out, c)
			i += 2
			continue
		}
		r, n := escapedRune(text[i:])
		if n == 0 {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	s.scratch = out
	return out[start:len(out):len(out)], true
}

// shortEscape returns what a backslash before c stands for.
func shortEscape(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// escapedRune reads \uXXXX, or two of them for a character beyond the first 65,536, at the start of text. It returns
// the character and the length of the escape, 0 when it is none.
func escapedRune(text []byte) (r rune, n int) {
	first, ok := unit(text)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	second, ok := unit(text[6:])
	if !ok {
		return 0, 0
	}
	r = utf16.DecodeRune(first, second)
	if r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// unit reads \uXXXX at the start of text.
func unit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range text[2:6] {
		digit := hexDigit(c)
		if digit < 0 {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}
