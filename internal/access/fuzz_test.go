package access

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzCheck: no header but that with the token is accepted, and no error shows any of it.
func FuzzCheck(f *testing.F) {
	token, line, err := NewToken("fuzz", Read, nil)
	if err != nil {
		f.Fatal(err)
	}
	path, keys := filepath.Join(f.TempDir(), "tokens"), filepath.Join(f.TempDir(), "secret")
	for file, text := range map[string]string{path: line, keys: token} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	g, err := New(Config{
		TokensFile: path, SecretFile: keys, Issuer: "i", Audience: "a", ScopeClaim: "scope", PrefixClaim: "key_prefix",
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		"", "Bearer ", "Bearer TOKEN", "bearer  TOKEN ", "Basic TOKEN", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
		"Bearer eyJhbGciOiJIUzI1NiIsImNyaXQiOltdfQ.eyJhdWQiOiJhIiwiaXNzIjoiaSIsImV4cCI6OTk5OTk5OTk5OTl9.AAAA", "Bearer a.b.c",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, header string) {
		header = strings.ReplaceAll(header, "TOKEN", token) // which the fuzzer cannot guess, and must not
		grant, err := g.Check([][]byte{[]byte(header)})
		scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
		good := strings.EqualFold(scheme, "bearer") && strings.TrimSpace(rest) == token
		if good != (err == nil) || good != (grant != nil) {
			t.Fatalf("%q: %v %v", header, grant, err)
		}
		if err != nil && len(rest) > 12 && strings.Contains(err.Error(), rest) {
			t.Fatalf("the error shows the credential: %v", err)
		}
	})
}

// FuzzParseTokens: a file is taken whole or not at all, and an error names its line and shows nothing of it.
func FuzzParseTokens(f *testing.F) {
	_, line, err := NewToken("fuzz", Read|Write, []string{"page:", "a b"})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"", "# comment\n", line, line + "\n" + line, line + " prefix=", "sha256:00 x scopes=read", "\x00\n\xff", line + "\r\n\n"} {
		f.Add([]byte(text))
	}
	salt := newSalt()
	f.Fuzz(func(t *testing.T, text []byte) {
		found, err := parseTokens(text, salt)
		if (err == nil) != (found != nil) {
			t.Fatalf("%q: %v %v", text, found, err)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("%q: the error does not name the line: %v", text, err)
			}
			for word := range strings.FieldsSeq(string(text)) {
				if strings.HasPrefix(word, hashPrefix) && len(word) > len(hashPrefix)+8 && strings.Contains(err.Error(), word[len(hashPrefix):]) {
					t.Fatalf("the error shows a hash: %v", err)
				}
			}
			return
		}
		for _, grant := range found.grants {
			if grant.scopes == 0 || !strings.HasPrefix(grant.id, "token:") {
				t.Fatalf("%q grants %+v", text, grant)
			}
			for _, p := range grant.prefixes {
				if p == "" {
					t.Fatalf("%q grants every key", text)
				}
			}
		}
	})
}
