package httpapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/dashboard"
	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/node"
)

// probe is a request, what serves it, and the status that must come.
type probe struct {
	request string
	status  int
	service Service         // nil: one that counts
	change  []func(*Config) // of the server
	before  int             // connections that are open before
}

// header is that of the request, as the validator wants it.
func (p probe) header() http.Header {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(p.request)))
	if err != nil {
		return http.Header{} // it is a probe of what cannot be read
	}
	return r.Header
}

func (p probe) body() string {
	_, body, _ := strings.Cut(p.request, "\r\n\r\n")
	return body
}

// run starts a server for the probe alone. Of a stream it reads only the header.
func (p probe) run(t *testing.T) answer {
	t.Helper()
	service := p.service
	if service == nil {
		service = &fakeService{totals: map[string]int64{"k": 3, "l": 4}}
	}
	page := dashboard.New(quietLive{}, slog.New(slog.DiscardHandler))
	h := start(t, service, append([]func(*Config){func(c *Config) { c.Page, c.ClosePage = page.Serve, page.Close }}, p.change...)...)
	defer h.shutdown()
	for range p.before {
		other := h.dial()
		other.send(get("/healthz"))
		other.receive("GET")
		defer other.Close()
	}
	c := h.dial()
	defer c.Close()
	c.send(p.request)
	method, _, _ := strings.Cut(p.request, " ")
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60q: %v", p.request, err)
	}
	got := answer{Response: resp}
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%.60q: %v", p.request, err)
		}
		got.body = string(text)
	}
	return got
}

// quietLive is a node of whose cluster nothing is known.
type quietLive struct{}

func (quietLive) Live(map[string]int64) node.LiveStatus { return node.LiveStatus{} }

// probes reach each status that is a route's own.
func probes() (all []probe) {
	add := func(status int, request string, service Service, change ...func(*Config)) {
		all = append(all, probe{request: request, status: status, service: service, change: change})
	}
	const asJSON = "Content-Type: application/json"
	for _, path := range []string{"/api/v1/increment", "/increment"} {
		count := func(body string, headers ...string) string {
			return request("POST", path, body, append(headers, asJSON)...)
		}
		add(202, count(increment), nil)
		add(202, count(`{"key":"k","value":"-3"}`, "Durability: database", `Idempotency-Key: "a b"`), &fakeService{replayed: true})
		add(202, count(increment, "Prefer: return=representation"), &fakeService{later: true})
		add(200, count(increment, "Prefer: return=representation"), &fakeService{replayed: true})
		add(400, count("x"), nil)
		add(400, count(increment, "Durability: tape"), nil)
		add(400, count(increment, "Idempotency-Key: a,b"), nil)
		add(415, count("\x1f\x8b", "Content-Encoding: gzip"), nil)
		add(422, count("{}"), nil)
		add(422, count(`{"key":"k","value":1,"max":"much"}`), nil)
		add(200, count(`{"key":"k","value":1,"max":5,"min":null}`, "Prefer: return=representation"), &fakeService{replayed: true})
		add(200, count(`{"key":"k","value":9,"min":"0","max":5,"overflow":"saturate"}`), nil)
		add(409, count(`{"key":"k","value":9,"max":5,"overflow":"reject"}`), nil)
		for _, row := range walkCommandErrors() {
			add(row.status, count(`{"key":"k","value":1,"max":5}`), &fakeService{err: row.err})
		}
		for _, row := range walkErrors() {
			add(row.status, count(increment), &fakeService{err: row.err})
		}
	}
	all = append(all, manyProbes()...)
	all = append(all, setProbes()...)
	return append(all, readProbes()...)
}

// setProbes are of counters that are set.
func setProbes() (all []probe) {
	const path, asJSON = "/api/v1/counters/k", "Content-Type: application/json"
	for method, body := range map[string]string{"PUT": `{"value":5}`, "DELETE": ""} {
		ask := func(body string, headers ...string) string {
			return request(method, path, body, append(headers, asJSON)...)
		}
		add := func(status int, request string, service Service) {
			all = append(all, probe{request: request, status: status, service: service})
		}
		add(200, ask(body), nil)
		add(200, ask(body, "Durability: database", `Idempotency-Key: "a"`), &fakeService{replayed: true})
		add(400, ask(body, "Durability: tape"), nil)
		add(400, ask(body, "Idempotency-Key: a,b"), nil)
		add(422, request(method, "/api/v1/counters/", body, asJSON), nil)
		for _, row := range append(walkErrors(), walkCommandErrors()...) {
			if row.err != node.ErrDurabilityTimeout && row.err != node.ErrOutOfBounds { // no Set ends so
				add(row.status, ask(body), &fakeService{err: row.err})
			}
		}
		if method == "PUT" {
			add(400, ask("x"), nil)
			add(415, ask("\x1f\x8b", "Content-Encoding: gzip"), nil)
			add(422, ask("{}"), nil)
			add(422, ask(`{"value":5,"max":6}`), nil)
		}
	}
	return all
}

// manyProbes are of many increments in one request.
func manyProbes() (all []probe) {
	for form, body := range map[string]string{
		"application/json":     `[{"key":"a","value":1},{"key":"b","value":2,"id":"x"}]`,
		"application/x-ndjson": `{"key":"a","value":1}` + "\n" + `{"key":"b"}` + "\nx",
	} {
		count := func(body string, headers ...string) string {
			return request("POST", many, body, append(headers, "Content-Type: "+form)...)
		}
		services := []Service{&fakeService{}, &fakeService{replayed: true}, &fakeService{later: true}}
		for _, row := range walkErrors() {
			services = append(services, &fakeService{err: row.err})
		}
		for _, service := range services {
			all = append(all, probe{request: count(body, "Prefer: return=representation"), status: 200, service: service})
		}
		all = append(
			all,
			probe{request: count(body), status: 200},
			probe{request: count("[1"), status: 400},
			probe{request: count(body, `Idempotency-Key: "a"`), status: 400},
			probe{request: count("[" + strings.Repeat("1,", maxItems) + "1]"), status: 413},
			probe{request: count(body, "Content-Encoding: gzip"), status: 415},
		)
	}
	return all
}

// readProbes are of everything that is read.
func readProbes() (all []probe) {
	add := func(status int, path string, service Service, change ...func(*Config)) {
		all = append(all, probe{request: get(path), status: status, service: service, change: change})
	}
	for _, path := range []string{"/api/v1/increment/", "/api/v1/counters/"} {
		add(200, path+"k", nil)
		add(200, path+"a%2Fb", &fakeService{stale: true, unstored: true})
		add(400, path+"%zz", nil)
		add(422, path, nil)
		add(503, path+"k", &fakeService{err: node.ErrStoreDown})
		add(500, path+"k", &fakeService{err: errors.New("boom")})
	}
	add(200, "/api/v1/counters", nil)
	add(200, "/api/v1/counters?prefix=k&after=a&limit=1", nil)
	add(200, "/api/v1/counters?limit=1", nil) // there is a next page
	add(400, "/api/v1/counters?prefix=%zz", nil)
	add(422, "/api/v1/counters?limit=0", nil)
	add(422, "/api/v1/counters?offset=1", nil)
	add(503, "/api/v1/counters", &fakeService{err: node.ErrStoreDown})
	add(200, "/api/v1/cluster", nil)
	add(200, "/api/v1/audit", nil)
	add(200, "/healthz", nil)
	add(200, "/readyz", nil)
	for _, err := range []error{errors.New("no lease"), node.ErrStoreDown, node.ErrLogFailed} {
		add(503, "/readyz", &fakeService{notReady: err})
	}
	add(200, "/metrics", nil)
	add(200, "/openapi.yaml", nil)
	for _, path := range []string{"/dashboard", "/dashboard/main.js", "/dashboard/style.css", "/dashboard/icon.svg", "/dashboard/index.html", "/dashboard/events"} {
		add(200, path, nil)
		add(404, path, nil, func(c *Config) { c.Page, c.ClosePage = nil, nil })
	}
	add(404, "/dashboard/none.js", nil)
	return all
}

// commonProbes reach, on each documented operation, what may befall any request: it cannot be read, is too slow or too
// long, is one too many, or meets a fault of this program.
func commonProbes(doc *openapi3.T) (all []probe) {
	slow := func(c *Config) { c.ReadTimeout = 20 * time.Millisecond }
	few := func(c *Config) { c.MaxConnections = 1 }
	broken := func(c *Config) { c.Page = func(*fasthttp.RequestCtx, func() bool) { panic("fault") } }
	for path, item := range doc.Paths.Map() {
		target := exampleOf(path)
		for method, op := range item.Operations() {
			line := method + " " + target + " HTTP/1.1\r\nHost: x\r\n"
			whole := wholeRequest(method, target)
			all = append(
				all,
				probe{request: line + "no header\r\n\r\n", status: 400},
				probe{request: line, status: 408, change: []func(*Config){slow}},
				probe{request: line + "Content-Length: 999999999\r\n\r\n", status: 413},
				probe{request: line + "X-A: " + strings.Repeat("a", DefaultConfig().MaxHeaderBytes) + "\r\n\r\n", status: 431},
				probe{request: whole, status: 503, change: []func(*Config){few}, before: 1},
			)
			if op.Responses.Value("500") != nil {
				// No service at all: whatever is called panics.
				all = append(all, probe{request: whole, status: 500, service: struct{ Service }{}, change: []func(*Config){broken}})
			}
		}
	}
	return all
}

// wholeRequest is one that a route takes.
func wholeRequest(method, target string, headers ...string) string {
	body := map[string]string{"POST": increment, "PUT": increment}[method]
	if target == many {
		body = "[" + increment + "]"
	}
	return request(method, target, body, append(headers, "Content-Type: application/json")...)
}

// noMore is a Limiter whose clients have used up what they had.
type noMore struct{}

func (noMore) Take([]byte, int) limit.Decision {
	return limit.Decision{Retry: time.Second, Reset: time.Second}
}

// deniedProbes reach what access control and the rate limit refuse.
func deniedProbes(t *testing.T, doc *openapi3.T) (all []probe) {
	t.Helper()
	c := newCredentials(t)
	policy, err := limit.ParsePolicy("2/5s", 0)
	if err != nil {
		t.Fatal(err)
	}
	guarded := func(cfg *Config) { cfg.Access = c.guard }
	limited := func(cfg *Config) { cfg.Rate = Rate{Limiter: noMore{}, Policy: policy} }
	add := func(status int, request string, change func(*Config)) {
		all = append(all, probe{request: request, status: status, change: []func(*Config){change}})
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			target, weak := exampleOf(path), "write"
			if method != "GET" || path == "/api/v1/audit" {
				weak = "read"
			}
			if op.Security != nil {
				add(401, wholeRequest(method, target), guarded)
				add(401, wholeRequest(method, target, c.header("unknown")...), guarded)
				add(403, wholeRequest(method, target, c.header(weak)...), guarded)
			}
			if method != "GET" {
				add(429, wholeRequest(method, target), limited)
			}
		}
	}
	add(200, wholeRequest("POST", many, c.header("page")...), guarded) // a 403 of its item
	add(413, request("POST", many, "["+increment+strings.Repeat(","+increment, 2)+"]", "Content-Type: application/json"), limited)
	return all
}

// decode reads JSON as the validator wants it; what is none becomes a text that no schema takes.
func decode(text string) (value any) {
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return err.Error()
	}
	return value
}
