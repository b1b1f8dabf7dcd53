package httpapi

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// credentials are one token of each kind.
type credentials struct {
	guard *access.Guard
	token map[string]string
}

func newCredentials(t *testing.T) credentials {
	t.Helper()
	c := credentials{token: map[string]string{"none": "", "unknown": "pin_unknown"}}
	var lines strings.Builder
	for name, of := range map[string]struct {
		scopes   access.Scope
		prefixes []string
	}{
		"read": {access.Read, nil}, "write": {access.Write, nil}, "admin": {access.Admin, nil},
		"page": {access.Read | access.Write, []string{"page:"}}, "page admin": {access.Admin, []string{"page:"}},
	} {
		token, line, err := access.NewToken(strings.ReplaceAll(name, " ", "-"), of.scopes, of.prefixes)
		if err != nil {
			t.Fatal(err)
		}
		c.token[name] = token
		fmt.Fprintln(&lines, line)
	}
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.guard, err = access.New(access.Config{TokensFile: path}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return c
}

// header returns the header line of a token.
func (c credentials) header(name string) []string {
	if c.token[name] == "" {
		return nil
	}
	return []string{"Authorization: Bearer " + c.token[name]}
}

// paged stands for the live page.
func paged(cfg *Config) {
	cfg.Page = func(ctx *fasthttp.RequestCtx, _ func() bool) { _, _ = io.WriteString(ctx, "page "+string(ctx.Path())) }
}

func TestAccess_AllowsEachCredentialWhatItsScopesSay(t *testing.T) {
	c := newCredentials(t)
	h := start(t, &fakeService{}, paged, func(cfg *Config) { cfg.Access = c.guard })
	const page, other = `{"key":"page:1","value":1}`, `{"key":"other","value":1}`
	who := []string{"none", "unknown", "read", "write", "admin", "page", "page admin"}
	for _, route := range []struct {
		method, path, body string
		want               [7]int // of each of who
	}{
		{"POST", "/api/v1/increment", page, [7]int{401, 401, 403, 202, 202, 202, 202}},
		{"POST", "/api/v1/increment", other, [7]int{401, 401, 403, 202, 202, 403, 403}},
		{"POST", "/increment", other, [7]int{401, 401, 403, 202, 202, 403, 403}},
		{"POST", "/api/v1/increment/", page, [7]int{401, 401, 403, 202, 202, 202, 202}},
		{"POST", "/api/v1/increment", "nonsense", [7]int{401, 401, 403, 400, 400, 400, 400}},
		{"POST", "/api/v1/increments", "[" + page + "," + other + "]", [7]int{401, 401, 403, 200, 200, 200, 200}},
		{"GET", "/api/v1/increment/page:1", "", [7]int{401, 401, 200, 403, 200, 200, 200}},
		{"GET", "/api/v1/increment/p%61ge%3a1", "", [7]int{401, 401, 200, 403, 200, 200, 200}},
		{"GET", "/api/v1/increment/other", "", [7]int{401, 401, 200, 403, 200, 403, 403}},
		{"HEAD", "/api/v1/increment/other", "", [7]int{401, 401, 200, 403, 200, 403, 403}},
		{"GET", "/api/v1/counters/page:1", "", [7]int{401, 401, 200, 403, 200, 200, 200}},
		{"GET", "/api/v1/counters/other", "", [7]int{401, 401, 200, 403, 200, 403, 403}},
		{"GET", "/api/v1/counters", "", [7]int{401, 401, 200, 403, 200, 403, 403}},
		{"GET", "/api/v1/counters?prefix=page:", "", [7]int{401, 401, 200, 403, 200, 200, 200}},
		{"GET", "/api/v1/counters?prefix=page:1&after=page:0", "", [7]int{401, 401, 200, 403, 200, 200, 200}},
		{"GET", "/api/v1/counters?prefix=pag", "", [7]int{401, 401, 200, 403, 200, 403, 403}},
		{"DELETE", "/api/v1/counters/page:1", "", [7]int{401, 401, 403, 200, 200, 200, 200}},
		{"DELETE", "/api/v1/counters/other", "", [7]int{401, 401, 403, 200, 200, 403, 403}},
		{"PUT", "/api/v1/counters/page:1", `{"value":1}`, [7]int{401, 401, 403, 200, 200, 200, 200}},
		{"PUT", "/api/v1/counters/other", `{"value":1}`, [7]int{401, 401, 403, 200, 200, 403, 403}},
		{"POST", "/api/v1/increment", `{"key":"other","value":1,"max":9}`, [7]int{401, 401, 403, 200, 200, 403, 403}},
		{"DELETE", "/api/v1/increment/page:1", "", [7]int{401, 401, 403, 405, 405, 405, 405}},
		{"GET", "/api/v1/cluster", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard/events", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard/%65vents", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard//events", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard/../events", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard/x/../events", "", [7]int{401, 401, 200, 403, 200, 403, 200}},
		{"GET", "/dashboard", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/dashboard/style.css", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/healthz", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/readyz", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/metrics", "", [7]int{200, 200, 200, 200, 200, 200, 200}},
		{"GET", "/nowhere", "", [7]int{404, 404, 404, 404, 404, 404, 404}},
	} {
		for i, name := range who {
			got := h.do(request(route.method, route.path, route.body, c.header(name)...))
			if got.StatusCode != route.want[i] {
				t.Errorf("%s %s by %s: %d, want %d: %s", route.method, route.path, name, got.StatusCode, route.want[i], got.body)
			}
			if is := got.StatusCode == 401 || got.StatusCode == 403; is != (got.Header.Get("WWW-Authenticate") != "") {
				t.Errorf("%s %s by %s: WWW-Authenticate: %q", route.method, route.path, name, got.Header.Get("WWW-Authenticate"))
			}
		}
	}
	for _, token := range c.token {
		if token != "" && (strings.Contains(h.logs.String(), token) || strings.Contains(h.do(get("/metrics")).body, token)) {
			t.Error("a token stands in the log or in the metrics")
		}
	}
}

func TestAccess_SaysWhatIsMissing(t *testing.T) {
	c := newCredentials(t)
	h := start(t, &fakeService{}, func(cfg *Config) { cfg.Access = c.guard })
	for _, of := range []struct {
		headers         []string
		status          int
		challenge, body string
	}{
		{nil, 401, `Bearer realm="pinocchio"`, `no credential was given`},
		{[]string{"Authorization: Basic YTpi"}, 401, `Bearer realm="pinocchio"`, `Authorization: Bearer TOKEN`},
		{c.header("unknown"), 401, `Bearer realm="pinocchio", error="invalid_token", error_description="the token is not known"`, `the token is not known`},
		{append(c.header("write"), c.header("write")...), 401, `Bearer realm="pinocchio", error="invalid_token", error_description="more than one credential was given"`, `more than one`},
		{c.header("read"), 403, `Bearer realm="pinocchio", error="insufficient_scope", scope="write"`, `lacks the scope write`},
		{c.header("page"), 403, `Bearer realm="pinocchio", error="insufficient_scope"`, `{"errors":{"key":["does not begin with a prefix`},
	} {
		got := h.do(post(`{"key":"other","value":1}`, of.headers...))
		if got.StatusCode != of.status || got.Header.Get("WWW-Authenticate") != of.challenge || !strings.Contains(strings.ReplaceAll(got.body, `\"`, `"`), of.body) {
			t.Errorf("%v: %d %q %s", of.headers, got.StatusCode, got.Header.Get("WWW-Authenticate"), got.body)
		}
	}
}

// A batch counts what the credential may count, and nothing else of it.
func TestAccess_JudgesEachItemOfABatch(t *testing.T) {
	c := newCredentials(t)
	for name, body := range map[string]string{
		"array":       `[{"key":"page:1","value":1},{"key":"other","value":1},{"key":"page:2","value":1}]`,
		"other names": `[{"key":"page:1","value":1,"x":0},{"key":"other","value":1},{"key":"page:2","value":1}]`,
		"lines":       "{\"key\":\"page:1\",\"value\":1}\n{\"key\":\"other\",\"value\":1}\n{\"key\":\"page:2\",\"value\":1}",
	} {
		f := &fakeService{}
		h := start(t, f, func(cfg *Config) { cfg.Access = c.guard })
		got := h.do(request("POST", "/api/v1/increments", body, c.header("page")...))
		if got.StatusCode != 200 || strings.Count(got.body, `"status":202`) != 2 || strings.Count(got.body, `"status":403,"errors":{"key":`) != 1 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
		if f.total("page:1") != 1 || f.total("other") != 0 || f.total("page:2") != 1 {
			t.Errorf("%s: %v", name, f.totals)
		}
		// The next request on the same buffers is another credential's.
		if got := h.do(request("POST", "/api/v1/increments", body, c.header("write")...)); strings.Count(got.body, `"status":202`) != 3 {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}

// A grant is that of its own request, also on a connection that is kept.
func TestAccess_ForgetsAGrantWithItsRequest(t *testing.T) {
	c := newCredentials(t)
	h := start(t, &fakeService{}, func(cfg *Config) { cfg.Access = c.guard })
	client := h.dial()
	for _, step := range []struct {
		who    string
		status int
	}{{"admin", 202}, {"none", 401}, {"page", 403}, {"write", 202}, {"page", 403}} {
		client.send(post(`{"key":"other","value":1}`, c.header(step.who)...))
		if got := client.receive("POST"); got.StatusCode != step.status {
			t.Errorf("%s: %d, want %d", step.who, got.StatusCode, step.status)
		}
	}
}

// Whoever adds a route says who may use it: without that, it is the admin's.
func TestAccess_LeavesUnknownRoutesToTheAdmin(t *testing.T) {
	if ok, needs := permitted(nil, routeCount, true); !ok || needs != access.Admin {
		t.Error("without credentials everything is open")
	}
	if ok, needs := permitted(&access.Grant{}, routeCount, true); ok || needs != access.Admin {
		t.Error("a new route is open to everybody")
	}
}
