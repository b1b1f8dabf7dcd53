package httpapi

import (
	"net/url"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/node"
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

// TestContract_AnswersEachIncrementBody is the part of the contract that is about what an increment's body may be.
func TestContract_AnswersEachIncrementBody(t *testing.T) {
	key512, key513 := strings.Repeat("k", 512), strings.Repeat("k", 513)
	object := `the body must be a JSON object such as {\"key\":\"page:1\",\"value\":3}`
	none := errorsOf(blankKey, blankVal, `"detail":["`+object+`"]`)
	malformed := func(text string) string { return `{"errors":{"detail":["malformed JSON` + text + `"]}}` }
	for _, row := range []struct {
		name, body string
		status     int
		answer     string
		key        string // counted under this key, when the status is 202
		delta      int64
	}{
		{"plain", `{"key": "key1", "value": 3}`, 202, "", "key1", 3},
		{"no spaces, other order", `{"value":3,"key":"key1"}`, 202, "", "key1", 3},
		{"all kinds of space", "\r\n\t {\t\"key\" :\n\"key1\"\r, \"value\"\t:\n3 } \r\n", 202, "", "key1", 3},
		{"negative", `{"key":"key1","value":-3}`, 202, "", "key1", -3},
		{"zero", `{"key":"key1","value":0}`, 202, "", "key1", 0},
		{"minus zero", `{"key":"key1","value":-0}`, 202, "", "key1", 0},
		{"highest", `{"key":"key1","value":9223372036854775807}`, 202, "", "key1", 9223372036854775807},
		{"lowest", `{"key":"key1","value":-9223372036854775808}`, 202, "", "key1", -9223372036854775808},
		{"highest and one", `{"key":"key1","value":9223372036854775808}`, 422, errorsOf(badVal), "", 0},
		{"lowest less one", `{"key":"key1","value":-9223372036854775809}`, 422, errorsOf(badVal), "", 0},
		{"a hundred digits", `{"key":"key1","value":` + strings.Repeat("9", 100) + `}`, 422, errorsOf(badVal), "", 0},
		{"text", `{"key":"key1","value":"3"}`, 202, "", "key1", 3},
		{"negative text", `{"key":"key1","value":"-3"}`, 202, "", "key1", -3},
		{"lowest as text", `{"key":"key1","value":"-9223372036854775808"}`, 202, "", "key1", -9223372036854775808},
		{"text one beyond", `{"key":"key1","value":"9223372036854775808"}`, 422, errorsOf(badVal), "", 0},
		{"escaped digits", `{"key":"key1","value":"\u0033"}`, 202, "", "key1", 3},
		{"text with a plus", `{"key":"key1","value":"+3"}`, 422, errorsOf(badVal), "", 0},
		{"text with a leading zero", `{"key":"key1","value":"03"}`, 422, errorsOf(badVal), "", 0},
		{"text with a space", `{"key":"key1","value":" 3"}`, 422, errorsOf(badVal), "", 0},
		{"text of a fraction", `{"key":"key1","value":"3.0"}`, 422, errorsOf(badVal), "", 0},
		{"text of a minus", `{"key":"key1","value":"-"}`, 422, errorsOf(badVal), "", 0},
		{"fraction", `{"key":"key1","value":3.0}`, 422, errorsOf(badVal), "", 0},
		{"exponent", `{"key":"key1","value":1e3}`, 422, errorsOf(badVal), "", 0},
		{"true", `{"key":"key1","value":true}`, 422, errorsOf(badVal), "", 0},
		{"word", `{"key":"key1","value":"one"}`, 422, errorsOf(badVal), "", 0},
		{"array", `{"key":"key1","value":[3]}`, 422, errorsOf(badVal), "", 0},
		{"no value", `{"key":"key1"}`, 422, errorsOf(blankVal), "", 0},
		{"null value", `{"key":"key1","value":null}`, 422, errorsOf(blankVal), "", 0},
		{"empty value", `{"key":"key1","value":""}`, 422, errorsOf(blankVal), "", 0},
		{"no key", `{"value":3}`, 422, errorsOf(blankKey), "", 0},
		{"null key", `{"key":null,"value":3}`, 422, errorsOf(blankKey), "", 0},
		{"empty key", `{"key":"","value":3}`, 422, errorsOf(blankKey), "", 0},
		{"number as key", `{"key":5,"value":3}`, 422, errorsOf(badKey), "", 0},
		{"object as key", `{"key":{},"value":3}`, 422, errorsOf(badKey), "", 0},
		{"both missing", `{}`, 422, errorsOf(blankKey, blankVal), "", 0},
		{"both wrong", `{"key":5,"value":"one"}`, 422, errorsOf(badKey, badVal), "", 0},
		{"one missing, one wrong", `{"value":"one"}`, 422, errorsOf(blankKey, badVal), "", 0},
		{"slash in key", `{"key":"a/b","value":1}`, 202, "", "a/b", 1},
		{"escaped slash in key", `{"key":"a\/b","value":1}`, 202, "", "a/b", 1},
		{"Cyrillic", `{"key":"ключ","value":1}`, 202, "", "ключ", 1},
		{"Cyrillic, escaped", `{"key":"\u043a\u043b\u044e\u0447","value":1}`, 202, "", "ключ", 1},
		{"beyond the first plane, escaped", `{"key":"\ud83d\ude00","value":1}`, 202, "", "😀", 1},
		{"all short escapes", `{"key":"\"\\\/\b\f\n\r\t","value":1}`, 202, "", "\"\\/\b\f\n\r\t", 1},
		{"spaces are a key", `{"key":"  ","value":1}`, 202, "", "  ", 1},
		{"512 bytes", `{"key":"` + key512 + `","value":1}`, 202, "", key512, 1},
		{"513 bytes", `{"key":"` + key513 + `","value":1}`, 422, errorsOf(badKey), "", 0},
		{"513 bytes of two each", `{"key":"k` + strings.Repeat("к", 256) + `","value":1}`, 422, errorsOf(badKey), "", 0},
		{"512 bytes, all escaped", `{"key":"` + strings.Repeat(`\u006b`, 512) + `","value":1}`, 202, "", key512, 1},
		{"NUL in key", `{"key":"a\u0000b","value":1}`, 422, errorsOf(badKey), "", 0},
		{"escaped names", `{"\u006bey":"key1","valu\u0065":3}`, 202, "", "key1", 3},
		{"other names are ignored", `{"key":"key1","value":3,"at":{"key":[1,{"x":null}]},"b":true}`, 202, "", "key1", 3},
		{"names in other case are other names", `{"Key":"key1","VALUE":3}`, 422, errorsOf(blankKey, blankVal), "", 0},

		{"empty body", "", 422, none, "", 0},
		{"blank body", " \n", 422, none, "", 0},
		{"null", "null", 422, none, "", 0},
		{"array of one", `[{"key":"key1","value":3}]`, 422, none, "", 0},
		{"string", `"key1"`, 422, none, "", 0},
		{"form", "key=key1&value=3", 400, `{"errors":{"detail":["the body is a form, but must be JSON such as {\"key\":\"page:1\",\"value\":3}"]}}`, "", 0},
		{"duplicate key", `{"key":"a","key":"b","value":3}`, 400, malformed(`: the name \"key\" stands twice in one object`), "", 0},
		{"duplicate value", `{"key":"a","value":3,"value":3}`, 400, malformed(`: the name \"value\" stands twice in one object`), "", 0},
		{"duplicate by escape", `{"key":"a","value":3,"k\u0065y":"a"}`, 400, malformed(`: the name \"key\" stands twice in one object`), "", 0},
		{"duplicate of another name", `{"key":"a","value":3,"x":1,"x":1}`, 400, malformed(`: the name \"x\" stands twice in one object`), "", 0},
		{"duplicate inside", `{"key":"a","value":3,"x":{"y":1,"y":1}}`, 400, malformed(`: the name \"y\" stands twice in one object`), "", 0},
		{"trailing bytes", `{"key":"a","value":3}x`, 400, malformed(`: more follows the value that ends at byte 21`), "", 0},
		{"two objects", `{"key":"a","value":3} {}`, 400, malformed(`: more follows the value that ends at byte 21`), "", 0},
		{"array and trailing bytes", `[] x`, 400, malformed(`: more follows the value that ends at byte 2`), "", 0},
		{"cut off", `{"key":"a","value":3`, 400, malformed(`: it ends too early, at byte 20`), "", 0},
		{"cut off in a string", `{"key":"a`, 400, malformed(`: it ends too early, at byte 9`), "", 0},
		{"comma at the end", `{"key":"a","value":3,}`, 400, "", "", 0},
		{"comma at the start", `{,"key":"a","value":3}`, 400, "", "", 0},
		{"no comma", `{"key":"a" "value":3}`, 400, "", "", 0},
		{"leading zero", `{"key":"a","value":03}`, 400, "", "", 0},
		{"leading plus", `{"key":"a","value":+3}`, 400, "", "", 0},
		{"bare minus", `{"key":"a","value":-}`, 400, "", "", 0},
		{"single quotes", `{'key':'a','value':3}`, 400, "", "", 0},
		{"byte order mark", "\ufeff" + `{"key":"a","value":3}`, 400, "", "", 0},
		{"bad UTF-8", "{\"key\":\"a\xff\",\"value\":3}", 400, "", "", 0},
		{"bad UTF-8 in a name", "{\"key\":\"a\",\"value\":3,\"\xff\":1}", 400, "", "", 0},
		{"first surrogate alone", `{"key":"\ud83d","value":3}`, 400, "", "", 0},
		{"second surrogate alone", `{"key":"\ude00","value":3}`, 400, "", "", 0},
		{"first surrogate twice", `{"key":"\ud83d\ud83d","value":3}`, 400, "", "", 0},
		{"unknown escape", `{"key":"\x41","value":3}`, 400, "", "", 0},
		{"short escape", `{"key":"\u41","value":3}`, 400, "", "", 0},
		{"escape at the end", `{"key":"a\","value":3}`, 400, "", "", 0},
		{"control character", "{\"key\":\"a\nb\",\"value\":3}", 400, "", "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := &fakeService{keep: true}
			got := start(t, f).do(post(row.body))
			if got.StatusCode != row.status {
				t.Fatalf("status %d, want %d; body %s", got.StatusCode, row.status, got.body)
			}
			if row.answer != "" && got.body != row.answer || row.status == 202 && got.body != "" {
				t.Errorf("body %s\nwant %s", got.body, row.answer)
			}
			if row.status == 400 && !strings.HasPrefix(got.body, `{"errors":{"detail":["`) {
				t.Errorf("body %s has not the shape of an error", got.body)
			}
			wantType := jsonType
			if row.status == 202 {
				wantType = ""
			}
			if ct := got.Header.Get("Content-Type"); ct != wantType {
				t.Errorf("content type %q, want %q", ct, wantType)
			}
			counted := f.counted()
			if row.status != 202 {
				if counted != 0 {
					t.Errorf("%d increments reached the node, want none", counted)
				}
				return
			}
			in := f.last()
			if counted != 1 || string(in.Key) != row.key || in.Delta != row.delta || in.Durability != node.DefaultDurability || in.Return {
				t.Errorf("the node got %d increments, the last %+v", counted, in)
			}
		})
	}
}

// TestContract_AnswersEachRoute is the part of the contract that is about paths and methods.
func TestContract_AnswersEachRoute(t *testing.T) {
	key512, key513 := strings.Repeat("k", 512), strings.Repeat("k", 513)
	value := func(n string) string { return `{"data":{"value":` + n + `}}` }
	f := &fakeService{totals: map[string]int64{
		"key1": 3, "a/b": 4, "ключ": 5, key512: 6, "a b+c": 7, "../x": 8, "a//b": 9, "100%": 10, "/": 11, "a?b#c": 12, "a/": 13,
		"big": 9223372036854775807, "small": -9223372036854775808, "http://x": 14, "new": 0,
	}}
	h := start(t, f)
	for _, row := range []struct {
		name, method, path string
		status             int
		body, allow        string
	}{
		{"total", "GET", "/api/v1/increment/key1", 200, value("3"), ""},
		{"total of an unknown key", "GET", "/api/v1/increment/nobody", 200, value("0"), ""},
		{"highest total", "GET", "/api/v1/increment/big", 200, value("9223372036854775807"), ""},
		{"lowest total", "GET", "/api/v1/increment/small", 200, value("-9223372036854775808"), ""},
		{"slash encoded", "GET", "/api/v1/increment/a%2Fb", 200, value("4"), ""},
		{"slash encoded in lower case", "GET", "/api/v1/increment/a%2fb", 200, value("4"), ""},
		{"slash as it is", "GET", "/api/v1/increment/a/b", 200, value("4"), ""},
		{"slash at the end", "GET", "/api/v1/increment/a/", 200, value("13"), ""},
		{"two slashes", "GET", "/api/v1/increment/a//b", 200, value("9"), ""},
		{"nothing but a slash", "GET", "/api/v1/increment//", 200, value("11"), ""},
		{"an address", "GET", "/api/v1/increment/http://x", 200, value("14"), ""},
		{"dots", "GET", "/api/v1/increment/../x", 200, value("8"), ""},
		{"dots encoded", "GET", "/api/v1/increment/%2E%2E%2Fx", 200, value("8"), ""},
		{"Cyrillic encoded", "GET", "/api/v1/increment/" + url.PathEscape("ключ"), 200, value("5"), ""},
		{"Cyrillic as it is", "GET", "/api/v1/increment/ключ", 200, value("5"), ""},
		{"plus is a plus", "GET", "/api/v1/increment/a%20b+c", 200, value("7"), ""},
		{"percent encoded", "GET", "/api/v1/increment/100%25", 200, value("10"), ""},
		{"question mark and hash encoded", "GET", "/api/v1/increment/a%3Fb%23c", 200, value("12"), ""},
		{"query is no key", "GET", "/api/v1/increment/key1?x=/2", 200, value("3"), ""},
		{"with scheme and host", "GET", "http://other/api/v1/increment/a%2Fb?x", 200, value("4"), ""},
		{"512 bytes", "GET", "/api/v1/increment/" + key512, 200, value("6"), ""},
		{"512 bytes, all encoded", "GET", "/api/v1/increment/" + strings.Repeat("%6B", 512), 200, value("6"), ""},
		{"513 bytes", "GET", "/api/v1/increment/" + key513, 422, errorsOf(badKey), ""},
		{"empty", "GET", "/api/v1/increment/", 422, errorsOf(blankKey), ""},
		{"NUL", "GET", "/api/v1/increment/a%00b", 422, errorsOf(badKey), ""},
		{"bad UTF-8", "GET", "/api/v1/increment/%FF", 422, errorsOf(badKey), ""},
		{"half an escape", "GET", "/api/v1/increment/100%2", 400, `{"errors":{"detail":["\"%2\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},
		{"no escape", "GET", "/api/v1/increment/100%zz", 400, `{"errors":{"detail":["\"%zz\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},
		{"bare hash", "GET", "/api/v1/increment/a#b", 400, `{"errors":{"detail":["a # in the path must be written as %23"]}}`, ""},

		{"counter", "GET", "/api/v1/counters/a%2Fb", 200, `{"data":{"key":"a/b","value":4,"persisted":3}}`, ""},
		{"counter with a quote", "GET", "/api/v1/counters/%22", 200, `{"data":{"key":"\"","value":0,"persisted":-1}}`, ""},
		{"counter without key", "GET", "/api/v1/counters/", 422, errorsOf(blankKey), ""},
		{"counter, bad escape", "GET", "/api/v1/counters/%", 400, `{"errors":{"detail":["\"%\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},

		{"HEAD of a total", "HEAD", "/api/v1/increment/key1", 200, "", ""},
		{"HEAD of health", "HEAD", "/healthz", 200, "", ""},
		{"health", "GET", "/healthz", 200, `{"data":{"status":"ok"}}`, ""},
		{"ready", "GET", "/readyz?verbose", 200, `{"data":{"status":"ready"}}`, ""},
		{"cluster", "GET", "/api/v1/cluster", 200, `{"data":{"cluster":"c1","node":"n1","ring_version":"v","partitions":271,"unowned":1,"settling":2,` +
			`"pending":3,"pending_age_seconds":1.5,"store_ok":true,"members":[{"id":"id","name":"n1","http":"h:1","peer":"p:2","gossip":"g:3",` +
			`"self":true,"alive":true,"draining":false,"lease_seconds_left":5,"owned":100,"wanted":101}]}}`, ""},

		{"audit", "GET", "/api/v1/audit", 200, `{"data":{"cluster":"c1","node":"n1","id":"id","increments":9,"operations":7,"pending":2,"lost":0,` +
			`"lost_past":0,"refused":0,"resending":[],"partitions":[{"given":7,"persisted":5}]}}`, ""},
		{"POST to the audit", "POST", "/api/v1/audit", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"below the audit", "GET", "/api/v1/audit/x", 404, notFound, ""},

		{"GET of the increment", "GET", "/api/v1/increment", 405, `{"errors":{"detail":["this path takes POST only"]}}`, "POST"},
		{"PUT of the increment", "PUT", "/api/v1/increment", 405, `{"errors":{"detail":["this path takes POST only"]}}`, "POST"},
		{"HEAD of the increment", "HEAD", "/api/v1/increment", 405, "", "POST"},
		{"GET of the short path", "GET", "/increment", 405, `{"errors":{"detail":["this path takes POST only"]}}`, "POST"},
		{"OPTIONS", "OPTIONS", "/api/v1/increment", 405, `{"errors":{"detail":["this path takes POST only"]}}`, "POST"},
		{"POST to a total", "POST", "/api/v1/increment/key1", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"DELETE of a total", "DELETE", "/api/v1/increment/key1", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"POST to a counter", "POST", "/api/v1/counters/key1", 405, `{"errors":{"detail":["this path takes GET, HEAD, PUT, DELETE only"]}}`, "GET, HEAD, PUT, DELETE"},
		{"POST to the cluster", "POST", "/api/v1/cluster", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"POST to health", "POST", "/healthz", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"POST to ready", "POST", "/readyz", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"POST to metrics", "POST", "/metrics", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},

		{"root", "GET", "/", 404, notFound, ""},
		{"unknown", "GET", "/nothing", 404, notFound, ""},
		{"unknown below the API", "POST", "/api/v1/nothing", 404, notFound, ""},
		{"the API itself", "GET", "/api/v1/", 404, notFound, ""},
		{"other version", "POST", "/api/v2/increment", 404, notFound, ""},
		{"other case", "POST", "/API/v1/increment", 404, notFound, ""},
		{"list", "GET", "/api/v1/counters?prefix=a%2F&limit=2", 200, `{"data":[{"key":"a/","value":13},{"key":"a//b","value":9}],"next":"a//b"}`, ""},
		{"list, the rest", "GET", "/api/v1/counters?prefix=a%2F&limit=2&after=a%2F%2Fb", 200, `{"data":[{"key":"a/b","value":4}],"next":null}`, ""},
		{"list of nothing", "GET", "/api/v1/counters?prefix=nobody", 200, `{"data":[],"next":null}`, ""},
		{"list, plus is a plus", "GET", "/api/v1/counters?prefix=a%20b+", 200, `{"data":[{"key":"a b+c","value":7}],"next":null}`, ""},
		{"list, no limit", "GET", "/api/v1/counters?limit=0", 422, `{"errors":{"limit":["must be from 1 to 1000"]}}`, ""},
		{"list, high limit", "GET", "/api/v1/counters?limit=1001", 422, `{"errors":{"limit":["must be from 1 to 1000"]}}`, ""},
		{"list, bad prefix", "GET", "/api/v1/counters?prefix=%FF", 422, `{"errors":{"prefix":["is invalid"]}}`, ""},
		{"list, bad escape", "GET", "/api/v1/counters?after=%", 400, `{"errors":{"detail":["\"%\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},
		{"list, unknown parameter", "GET", "/api/v1/counters?offset=5", 422, `{"errors":{"offset":["is no parameter of this path: it takes prefix, after and limit"]}}`, ""},
		{"POST to the list", "POST", "/api/v1/counters", 405, `{"errors":{"detail":["this path takes GET, HEAD only"]}}`, "GET, HEAD"},
		{"below the cluster", "GET", "/api/v1/cluster/x", 404, notFound, ""},
		{"GET of many", "GET", "/api/v1/increments", 405, `{"errors":{"detail":["this path takes POST only"]}}`, "POST"},
		{"below many", "POST", "/api/v1/increments/x", 404, notFound, ""},
		{"longer name", "POST", "/api/v1/incrementss", 404, notFound, ""},
		{"below the short path", "GET", "/increment/key1", 404, notFound, ""},
		{"empty path with scheme", "GET", "http://other", 404, notFound, ""},
		{"asterisk", "OPTIONS", "*", 404, notFound, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := h.do(request(row.method, row.path, ""))
			if got.StatusCode != row.status || got.body != row.body {
				t.Errorf("%d %s\nwant %d %s", got.StatusCode, got.body, row.status, row.body)
			}
			if allow := got.Header.Get("Allow"); allow != row.allow {
				t.Errorf("Allow: %q, want %q", allow, row.allow)
			}
			if ct := got.Header.Get("Content-Type"); ct != jsonType {
				t.Errorf("content type %q", ct)
			}
			if got.Header.Get("Server") != "pinocchio" || got.Header.Get("Date") == "" {
				t.Errorf("headers %v lack Server or Date", got.Header)
			}
			if f.counted() != 0 {
				t.Error("something was counted")
			}
		})
	}
}

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
