package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// oddPrefix needs escapes in JSON and in a path.
const oddPrefix = `a/b "ключ"\<%2F?#&` + "\t"

// parseOne reads what must be exactly one request.
func parseOne(t *testing.T, b []byte) *fasthttp.Request {
	t.Helper()
	br := bufio.NewReader(bytes.NewReader(b))
	req := &fasthttp.Request{}
	if err := req.Read(br); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	if rest, _ := br.Peek(1); len(rest) != 0 {
		t.Fatalf("bytes behind the request in %q", b)
	}
	return req
}

func TestIncrement_IsOneRequestWhateverTheLengthOfTheNumber(t *testing.T) {
	o := DefaultOptions()
	o.KeyPrefix, o.Value, o.Durability, o.ReturnTotal = oddPrefix, -12, "disk", true
	tmpl := newIncrement(o, "node:1")
	for key := 0; key < maxKeys; key = key*10 + 9 {
		req := parseOne(t, tmpl.append(nil, key))
		var body struct {
			Key   string
			Value int64
		}
		if err := json.Unmarshal(req.Body(), &body); err != nil || body.Key != o.key(key) || body.Value != -12 {
			t.Errorf("key %d: body %q, %v", key, req.Body(), err)
		}
		if !req.Header.IsPost() || string(req.Header.RequestURI()) != "/api/v1/increment" || string(req.Header.Host()) != "node:1" {
			t.Errorf("key %d: %s", key, req.Header.String())
		}
		if string(req.Header.Peek("Durability")) != "disk" || string(req.Header.Peek("Prefer")) != "return=representation" {
			t.Errorf("key %d: %s", key, req.Header.String())
		}
	}
}

func TestIncrement_SendsNoHeadersThatNobodyAskedFor(t *testing.T) {
	req := parseOne(t, newIncrement(DefaultOptions(), "node:1").append(nil, 5))
	if req.Header.Peek("Durability") != nil || req.Header.Peek("Prefer") != nil {
		t.Errorf("%s", req.Header.String())
	}
}

func TestRequests_ShowTheToken(t *testing.T) {
	o := DefaultOptions()
	for token, want := range map[string]string{"": "", "pin_x.Y-1": "Bearer pin_x.Y-1"} {
		o.Token = token
		for _, tmpl := range []*template{newIncrement(o, "node:1"), newRead(o, "node:1")} {
			for _, key := range []int{0, 12345} {
				req := parseOne(t, tmpl.append(nil, key))
				if got := string(req.Header.Peek("Authorization")); got != want {
					t.Errorf("%s: %q, want %q", req.Header.Method(), got, want)
				}
			}
		}
	}
}

func TestRead_AsksForTheKeyAsItIs(t *testing.T) {
	o := DefaultOptions()
	o.KeyPrefix = oddPrefix
	tmpl := newRead(o, "node:1")
	for key := 0; key < maxKeys; key = key*10 + 9 {
		req := parseOne(t, tmpl.append(nil, key))
		path, ok := strings.CutPrefix(string(req.Header.RequestURI()), "/api/v1/increment/")
		got, err := url.PathUnescape(path)
		if !ok || err != nil || got != o.key(key) || strings.Contains(path, "/") || !req.Header.IsGet() {
			t.Errorf("key %d: %s", key, req.Header.String())
		}
	}
}

func TestTemplate_AllocatesNothing(t *testing.T) {
	tmpl := newIncrement(DefaultOptions(), "node:1")
	buf := make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(100, func() { buf = tmpl.append(buf[:0], 1234) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
