package flush

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// codeNotText is the SQLSTATE character_not_in_repertoire: what Postgres says to a key that is not UTF-8 or has a NUL.
const codeNotText = "22021"

// isText reports whether a database can hold s as text: UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// checkText returns a *DataError when one of the strings can never be text.
func checkText(all ...string) error {
	for _, s := range all {
		if !isText(s) {
			return &DataError{Code: codeNotText, Err: fmt.Errorf("%.80q is not UTF-8 text without NUL", s)}
		}
	}
	return nil
}

// onlyText returns the keys that can exist in a store; it allocates only when there is another one.
func onlyText(keys []string) []string {
	for i, k := range keys {
		if isText(k) {
			continue
		}
		out := append([]string(nil), keys[:i]...)
		for _, k := range keys[i+1:] {
			if isText(k) {
				out = append(out, k)
			}
		}
		return out
	}
	return keys
}

// printable returns the key as the quarantine table shows it, and its bytes when these are not text.
func printable(key string) (text string, raw []byte) {
	if isText(key) {
		return key, nil
	}
	return strconv.QuoteToASCII(key), []byte(key)
}

// pastPrefix returns the smallest string, in byte order, that is greater than every string with this prefix, and false
// when there is none. It is text when the prefix is: UTF-8 orders like the code points, so the last one that
// can grow does (past the gap of the surrogates, which no UTF-8 has).
func pastPrefix(prefix string) (string, bool) {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		if r == utf8.MaxRune {
			continue
		}
		r++
		if r == 0xD800 {
			r = 0xE000
		}
		return prefix + string(r), true
	}
	return "", false
}
