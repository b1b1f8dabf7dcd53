package httpapi

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// routeCase is a request without a body and its answer.
type routeCase struct {
	name, method, path string
	status             int
	body, allow        string
}

const (
	takesPost = `{"errors":{"detail":["this path takes POST only"]}}`
	takesGet  = `{"errors":{"detail":["this path takes GET, HEAD only"]}}`
)

// totalCases are about totals, and keys in a path.
func totalCases() []routeCase {
	key512, key513 := strings.Repeat("k", 512), strings.Repeat("k", 513)
	value := func(n string) string { return `{"data":{"value":` + n + `}}` }
	return []routeCase{
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
	}
}

// counterCases are about one counter and the list of counters.
func counterCases() []routeCase {
	return []routeCase{
		{"counter", "GET", "/api/v1/counters/a%2Fb", 200, `{"data":{"key":"a/b","value":4,"persisted":3}}`, ""},
		{"counter with a quote", "GET", "/api/v1/counters/%22", 200, `{"data":{"key":"\"","value":0,"persisted":-1}}`, ""},
		{"counter without key", "GET", "/api/v1/counters/", 422, errorsOf(blankKey), ""},
		{"counter, bad escape", "GET", "/api/v1/counters/%", 400, `{"errors":{"detail":["\"%\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},
		{"list", "GET", "/api/v1/counters?prefix=a%2F&limit=2", 200, `{"data":[{"key":"a/","value":13},{"key":"a//b","value":9}],"next":"a//b"}`, ""},
		{"list, the rest", "GET", "/api/v1/counters?prefix=a%2F&limit=2&after=a%2F%2Fb", 200, `{"data":[{"key":"a/b","value":4}],"next":null}`, ""},
		{"list of nothing", "GET", "/api/v1/counters?prefix=nobody", 200, `{"data":[],"next":null}`, ""},
		{"list, plus is a plus", "GET", "/api/v1/counters?prefix=a%20b+", 200, `{"data":[{"key":"a b+c","value":7}],"next":null}`, ""},
		{"list, no limit", "GET", "/api/v1/counters?limit=0", 422, `{"errors":{"limit":["must be from 1 to 1000"]}}`, ""},
		{"list, high limit", "GET", "/api/v1/counters?limit=1001", 422, `{"errors":{"limit":["must be from 1 to 1000"]}}`, ""},
		{"list, bad prefix", "GET", "/api/v1/counters?prefix=%FF", 422, `{"errors":{"prefix":["is invalid"]}}`, ""},
		{"list, bad escape", "GET", "/api/v1/counters?after=%", 400, `{"errors":{"detail":["\"%\" in the path is not a percent-encoded byte: write a percent sign as %25"]}}`, ""},
		{"list, unknown parameter", "GET", "/api/v1/counters?offset=5", 422, `{"errors":{"offset":["is no parameter of this path: it takes prefix, after and limit"]}}`, ""},
		{"POST to the list", "POST", "/api/v1/counters", 405, takesGet, "GET, HEAD"},
	}
}

// statusCases are about what a node tells of itself.
func statusCases() []routeCase {
	return []routeCase{
		{"HEAD of a total", "HEAD", "/api/v1/increment/key1", 200, "", ""},
		{"HEAD of health", "HEAD", "/healthz", 200, "", ""},
		{"health", "GET", "/healthz", 200, `{"data":{"status":"ok"}}`, ""},
		{"ready", "GET", "/readyz?verbose", 200, `{"data":{"status":"ready"}}`, ""},
		{"cluster", "GET", "/api/v1/cluster", 200, `{"data":{"cluster":"c1","node":"n1","ring_version":"v","partitions":271,"unowned":1,"settling":2,` +
			`"pending":3,"pending_age_seconds":1.5,"store_ok":true,"members":[{"id":"id","name":"n1","http":"h:1","peer":"p:2","gossip":"g:3",` +
			`"self":true,"alive":true,"draining":false,"lease_seconds_left":5,"owned":100,"wanted":101}]}}`, ""},
		{"audit", "GET", "/api/v1/audit", 200, `{"data":{"cluster":"c1","node":"n1","id":"id","increments":9,"operations":7,"pending":2,"lost":0,` +
			`"lost_past":0,"refused":0,"resending":[],"partitions":[{"given":7,"persisted":5}]}}`, ""},
	}
}

// methodCases are methods that a path does not take.
func methodCases() []routeCase {
	return []routeCase{
		{"POST to the audit", "POST", "/api/v1/audit", 405, takesGet, "GET, HEAD"},
		{"GET of the increment", "GET", "/api/v1/increment", 405, takesPost, "POST"},
		{"PUT of the increment", "PUT", "/api/v1/increment", 405, takesPost, "POST"},
		{"HEAD of the increment", "HEAD", "/api/v1/increment", 405, "", "POST"},
		{"GET of the short path", "GET", "/increment", 405, takesPost, "POST"},
		{"OPTIONS", "OPTIONS", "/api/v1/increment", 405, takesPost, "POST"},
		{"POST to a total", "POST", "/api/v1/increment/key1", 405, takesGet, "GET, HEAD"},
		{"DELETE of a total", "DELETE", "/api/v1/increment/key1", 405, takesGet, "GET, HEAD"},
		{"POST to a counter", "POST", "/api/v1/counters/key1", 405, `{"errors":{"detail":["this path takes GET, HEAD, PUT, DELETE only"]}}`, "GET, HEAD, PUT, DELETE"},
		{"POST to the cluster", "POST", "/api/v1/cluster", 405, takesGet, "GET, HEAD"},
		{"POST to health", "POST", "/healthz", 405, takesGet, "GET, HEAD"},
		{"POST to ready", "POST", "/readyz", 405, takesGet, "GET, HEAD"},
		{"POST to metrics", "POST", "/metrics", 405, takesGet, "GET, HEAD"},
		{"GET of many", "GET", "/api/v1/increments", 405, takesPost, "POST"},
	}
}

// nowhereCases are paths at which there is nothing.
func nowhereCases() []routeCase {
	return []routeCase{
		{"below the audit", "GET", "/api/v1/audit/x", 404, notFound, ""},
		{"root", "GET", "/", 404, notFound, ""},
		{"unknown", "GET", "/nothing", 404, notFound, ""},
		{"unknown below the API", "POST", "/api/v1/nothing", 404, notFound, ""},
		{"the API itself", "GET", "/api/v1/", 404, notFound, ""},
		{"other version", "POST", "/api/v2/increment", 404, notFound, ""},
		{"other case", "POST", "/API/v1/increment", 404, notFound, ""},
		{"below the cluster", "GET", "/api/v1/cluster/x", 404, notFound, ""},
		{"below many", "POST", "/api/v1/increments/x", 404, notFound, ""},
		{"longer name", "POST", "/api/v1/incrementss", 404, notFound, ""},
		{"below the short path", "GET", "/increment/key1", 404, notFound, ""},
		{"empty path with scheme", "GET", "http://other", 404, notFound, ""},
		{"asterisk", "OPTIONS", "*", 404, notFound, ""},
	}
}

// TestContract_AnswersEachRoute is the part of the contract that is about paths and methods.
func TestContract_AnswersEachRoute(t *testing.T) {
	f := &fakeService{totals: map[string]int64{
		"key1": 3, "a/b": 4, "ключ": 5, strings.Repeat("k", 512): 6, "a b+c": 7, "../x": 8, "a//b": 9, "100%": 10, "/": 11, "a?b#c": 12, "a/": 13,
		"big": 9223372036854775807, "small": -9223372036854775808, "http://x": 14, "new": 0,
	}}
	h := start(t, f)
	for _, c := range slices.Concat(totalCases(), counterCases(), statusCases(), methodCases(), nowhereCases()) {
		t.Run(c.name, func(t *testing.T) {
			got := h.do(request(c.method, c.path, ""))
			if got.StatusCode != c.status || got.body != c.body {
				t.Errorf("%d %s\nwant %d %s", got.StatusCode, got.body, c.status, c.body)
			}
			if allow := got.Header.Get("Allow"); allow != c.allow {
				t.Errorf("Allow: %q, want %q", allow, c.allow)
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
