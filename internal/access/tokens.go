package access

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	hashPrefix  = "sha256:"
	tokenPrefix = "pin_" // so that scanners for leaked secrets can find one
	maxTokens   = 100_000
)

type digest = [sha256.Size]byte

// tokens are the lines of a file by the digest of each token. Lookups are keyed: a map compares in a time that depends on its keys, and
// these depend on a number that nobody outside knows.
type tokens struct {
	salt   digest
	grants map[digest]*Grant
	ended  bool // the last line ends with a newline
}

// newSalt returns a random number that lives as long as the process.
func newSalt() (s digest) {
	_, _ = rand.Read(s[:]) // never fails, says its documentation
	return s
}

func salted(salt, d digest) digest {
	var both [2 * sha256.Size]byte
	copy(both[:], salt[:])
	copy(both[sha256.Size:], d[:])
	return sha256.Sum256(both[:])
}

// find returns the grant of a token, nil when there is none.
func (t *tokens) find(token []byte) *Grant {
	if t == nil {
		return nil
	}
	return t.grants[salted(t.salt, sha256.Sum256(token))]
}

// parseTokens reads lines "sha256:<hex> name scopes=read,write prefix=page:". Empty lines and those that begin with # do not count. A
// prefix may be repeated, and is percent-encoded where it holds a blank. Errors tell the line by its number only.
func parseTokens(text []byte, salt digest) (*tokens, error) {
	t := &tokens{salt: salt, grants: make(map[digest]*Grant), ended: bytes.HasSuffix(text, []byte("\n"))}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		d, g, err := parseToken(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		place := salted(salt, d)
		if t.grants[place] != nil {
			return nil, fmt.Errorf("line %d: the same token stands in a line before", number)
		}
		if len(t.grants) == maxTokens {
			return nil, fmt.Errorf("line %d: there are more than %d tokens", number, maxTokens)
		}
		t.grants[place] = g
	}
	return t, nil
}

// mayBecome returns an error when the file looks as if somebody had begun to write it and had not finished: a part must lock nobody
// out, and a prefix that was cut must not let anybody at more keys. nil, for no file, becomes nil.
func (t *tokens) mayBecome(next *tokens) error {
	switch {
	case t == nil || len(t.grants) == 0:
		return nil
	case len(next.grants) == 0:
		return errors.New("no token is left; if nobody may come in any more, restart this node with it")
	case t.ended && !next.ended:
		return errors.New("the last line does not end with a newline, as it did before: the file may not be whole")
	}
	return nil
}

func parseToken(words []string) (d digest, g *Grant, err error) {
	text, ok := strings.CutPrefix(words[0], hashPrefix)
	if !ok || len(text) != hex.EncodedLen(len(d)) {
		return d, nil, fmt.Errorf("it must begin with %s and 64 hexadecimal digits: \"pinocchio token\" makes such a line", hashPrefix)
	}
	if _, err := hex.Decode(d[:], []byte(text)); err != nil {
		return d, nil, fmt.Errorf("what follows %s is not hexadecimal", hashPrefix)
	}
	if len(words) < 3 || strings.Contains(words[1], "=") {
		return d, nil, fmt.Errorf("a name and scopes=… must follow the hash")
	}
	g = &Grant{id: "token:" + words[1]}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "scopes":
			if g.scopes, err = ParseScopes(value); err != nil {
				return d, nil, err
			}
		case "prefix":
			prefix, err := url.PathUnescape(value)
			if err != nil || prefix == "" {
				return d, nil, fmt.Errorf("prefix= must be followed by the beginning of keys, percent-encoded")
			}
			g.prefixes = append(g.prefixes, prefix)
		default:
			return d, nil, fmt.Errorf("what follows the name must be scopes=… or prefix=…")
		}
	}
	if g.scopes == 0 {
		return d, nil, fmt.Errorf("scopes=… is missing")
	}
	return d, g, nil
}

// NewToken makes a token of 256 random bits, and the line of the file that accepts it.
func NewToken(name string, scopes Scope, prefixes []string) (token, line string, err error) {
	random := newSalt()
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	d := sha256.Sum256([]byte(token))
	line = fmt.Sprintf("%s%x %s scopes=%s", hashPrefix, d, name, scopes)
	for _, p := range prefixes {
		line += " prefix=" + url.PathEscape(p)
	}
	if _, err := parseTokens([]byte(line), random); err != nil || len(strings.Fields(line)) != 3+len(prefixes) {
		return "", "", fmt.Errorf("the name must be one word without =, and no prefix empty")
	}
	return token, line, nil
}
