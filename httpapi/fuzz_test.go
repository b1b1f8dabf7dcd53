package httpapi

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/node"
)

// FuzzPath reads any request target. A key is what stands at its end, percent-decoded as net/url does it, but for the # that
// no client sends; and a valid one comes back when it is written into a path again.
func FuzzPath(f *testing.F) {
	for _, target := range []string{
		"/api/v1/increment/page:1", "/api/v1/increment/a%2Fb/../c?x=%", "/api/v1/counters/%E2%82%AC%00", "http://host/api/v1/increment//", "/api/v1/increment/%",
		"/api/v1/increment/#", "/api/v1/increment/%2", "/api/v1/increment/+%2B%zz", "/api/v1/audit", "/api/v1/cluster/", "*", "", "?", "://", "http://host", "/dashboard/x", "/increment/",
	} {
		f.Add([]byte(target))
	}
	f.Fuzz(func(t *testing.T, target []byte) {
		before := bytes.Clone(target)
		path := pathOf(target)
		r, raw := match(path)
		if r == routeUnread || int(r) >= routeCount || r.String() == "" {
			t.Fatalf("%q leads to route %d", target, r)
		}
		if !bytes.HasSuffix(path, raw) || bytes.IndexByte(path, '?') >= 0 || len(raw) > 0 && r != routeTotal && r != routeCounter {
			t.Fatalf("%q has the path %q and, at %v, the key %q", target, path, r, raw)
		}
		key, err := unescapePath(nil, raw)
		want, wantErr := url.PathUnescape(string(raw))
		if bytes.IndexByte(raw, '#') >= 0 {
			if err == nil {
				t.Fatalf("the fragment of %q is taken", raw)
			}
		} else if (err == nil) != (wantErr == nil) || err == nil && string(key) != want {
			t.Fatalf("%q is read as %q (%v), want %q (%v)", raw, key, err, want, wantErr)
		}
		if !bytes.Equal(target, before) {
			t.Fatalf("%q became %q", before, target)
		}
		if err != nil || !validKey(key) {
			return
		}
		again, rest := match(pathOf([]byte("/api/v1/counters/" + url.PathEscape(string(key)) + "?x")))
		if back, err := unescapePath(nil, rest); again != routeCounter || err != nil || !bytes.Equal(back, key) {
			t.Fatalf("%q comes back as %q (%v)", key, back, err)
		}
	})
}

// FuzzHeaders reads any value of the headers that change an increment.
func FuzzHeaders(f *testing.F) {
	for _, value := range []string{
		"", " ", `"order-17"`, `"a\"b\\c"`, `"a\b"`, `"`, `""`, "plain", "a,b", "memory", " DATABASE\t", "replica;x", strings.Repeat("x", 256), "\"\x7f\"", "K\u212a",
		"return=representation", `x="a,return=minimal", return=representation; y`, `return="representation"`, "respond-async,, return = Representation ;x", `x="\`,
	} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		fuzzIdempotencyKey(t, value)
		fuzzDurability(t, value)
		fuzzPrefer(t, value)
		if !bytes.Equal(value, before) {
			t.Fatalf("%q became %q", before, value)
		}
	})
}

// fuzzIdempotencyKey wants printable ASCII, and the same key again when it is written in quotes.
func fuzzIdempotencyKey(t *testing.T, value []byte) {
	id, ok := parseIdempotencyKey(value)
	if !ok {
		return
	}
	for _, c := range id {
		if c < ' ' || c > '~' {
			t.Fatalf("%q is read as the key %q", value, id)
		}
	}
	if len(id) == 0 || len(id) > maxIDBytes {
		t.Fatalf("%q is read as a key of %d bytes", value, len(id))
	}
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(id)) + `"`
	if again, ok := parseIdempotencyKey([]byte(quoted)); !ok || !bytes.Equal(again, id) {
		t.Fatalf("the key %q of %q is written as %s and read as %q", id, value, quoted, again)
	}
}

// fuzzDurability wants nothing but the four words, in any case.
func fuzzDurability(t *testing.T, value []byte) {
	level, ok := parseDurability(value)
	word := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, string(bytes.TrimSpace(value)))
	want, known := map[string]node.Durability{"memory": node.Memory, "disk": node.Disk, "replica": node.Replica, "database": node.Database}[word]
	if ok != known || level != want {
		t.Fatalf("%q is read as %d (%v)", value, level, ok)
	}
}

// fuzzPrefer compares with a plain reading, where there are no quotes.
func fuzzPrefer(t *testing.T, value []byte) {
	got := wantsRepresentation([][]byte{value})
	if twice := wantsRepresentation([][]byte{value, []byte("return=representation")}); got && !twice {
		t.Fatalf("%q asks for the total, and with another line does not", value)
	}
	if bytes.ContainsAny(value, `"\`) {
		return
	}
	want := false
	for _, preference := range strings.Split(string(value), ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, word, _ := strings.Cut(preference, "=")
		if isWord(name, "return") {
			want = isWord(word, "representation")
			break
		}
	}
	if got != want {
		t.Fatalf("%q asks for the total: %v, want %v", value, got, want)
	}
}

// isWord compares letters of ASCII only: Kelvin's sign is no k.
func isWord(text, word string) bool {
	text = strings.TrimSpace(text)
	return len(text) == len(word) && strings.EqualFold(text, word)
}
