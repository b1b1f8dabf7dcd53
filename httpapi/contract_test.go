package httpapi

import (
	"strings"
	"testing"
)

const (
	jsonType = "application/json; charset=utf-8"
	notFound = `{"errors":{"detail":["there is nothing at this path: increments go to POST /api/v1/increment, totals are at GET /api/v1/increment/{key}"]}}`
	blankKey = `"key":["can't be blank"]`
	badKey   = `"key":["is invalid"]`
	blankVal = `"value":["can't be blank"]`
	badVal   = `"value":["is invalid"]`
)

func errorsOf(fields ...string) string { return `{"errors":{` + strings.Join(fields, ",") + `}}` }

func TestContract_CountsOnEveryPathOfTheIncrement(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	for i, path := range []string{"/api/v1/increment", "/increment", "/api/v1/increment/", "/increment/", "/api/v1/increment?key=other"} {
		if got := h.do(request("POST", path, `{"key":"k","value":1}`)); got.StatusCode != 202 || got.body != "" {
			t.Errorf("POST %s: %d %s", path, got.StatusCode, got.body)
		}
		if n := f.total("k"); n != int64(i+1) {
			t.Errorf("after POST %s the total is %d, want %d", path, n, i+1)
		}
	}
}

// A client of the prototype sends any header, and curl -d announces a form whatever the body is.
func TestContract_JudgesTheBodyNotItsContentType(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	for _, ct := range []string{"application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"} {
		if got := h.do(post(`{"key":"k","value":1}`, "Content-Type: "+ct)); got.StatusCode != 202 {
			t.Errorf("JSON announced as %s: %d %s", ct, got.StatusCode, got.body)
		}
		got := h.do(post("key=k&value=1", "Content-Type: "+ct))
		if got.StatusCode != 400 || !strings.Contains(got.body, "the body is a form") {
			t.Errorf("a form announced as %s: %d %s", ct, got.StatusCode, got.body)
		}
	}
	got := h.do(post("--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x--\r\n", "Content-Type: multipart/form-data; boundary=x"))
	if got.StatusCode != 400 || !strings.Contains(got.body, "the body is a form") {
		t.Errorf("a multipart form: %d %s", got.StatusCode, got.body)
	}
	got = h.do(post("\x1f\x8b\x08", "Content-Encoding: gzip"))
	if got.StatusCode != 415 || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("a compressed body: %d %s %v", got.StatusCode, got.body, got.Header)
	}
}
