package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/expo"
)

func TestMetrics_CountEveryAnswerByRouteAndStatus(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	for _, req := range []string{
		post(increment), post(increment), post(`{}`), post(`x`), request("POST", "/increment", increment),
		get("/api/v1/increment/secret-key"), get("/api/v1/counters/secret-key"), get("/nowhere/secret-key"), get("/api/v1/cluster"),
		get("/healthz"), get("/readyz"), request("PUT", "/metrics", ""), "nonsense\r\n\r\n",
	} {
		h.do(req)
	}
	eventually(t, "all connections have ended", func() bool { return h.conns.len() == 0 })
	got := h.do(get("/metrics"))
	if got.StatusCode != 200 || got.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	for _, fault := range expo.Lint(strings.NewReader(got.body)) {
		t.Error(fault)
	}
	for labels, n := range map[string]int{
		`route="/api/v1/increment",status="202"`:       2,
		`route="/api/v1/increment",status="422"`:       1,
		`route="/api/v1/increment",status="400"`:       1,
		`route="/increment",status="202"`:              1,
		`route="/api/v1/increment/{key}",status="200"`: 1,
		`route="/api/v1/counters/{key}",status="200"`:  1,
		`route="unknown",status="404"`:                 1,
		`route="/api/v1/cluster",status="200"`:         1,
		`route="/healthz",status="200"`:                1,
		`route="/readyz",status="200"`:                 1,
		`route="/metrics",status="405"`:                1,
		`route="unread",status="400"`:                  1,
	} {
		for _, line := range []string{
			fmt.Sprintf("\npinocchio_http_requests_total{%s} %d\n", labels, n),
			fmt.Sprintf("\npinocchio_http_request_duration_seconds_count{%s} %d\n", labels, n),
			fmt.Sprintf("\npinocchio_http_request_duration_seconds_bucket{%s,le=\"+Inf\"} %d\n", labels, n),
		} {
			if !strings.Contains(got.body, line) {
				t.Errorf("%q is missing", line)
			}
		}
	}
	for _, line := range []string{
		"\npinocchio_http_requests_in_flight 1\n", // the scrape itself
		"\npinocchio_http_panics_total 0\n", "\npinocchio_http_connections_refused_total 0\n", "\npinocchio_http_connections_timed_out_total 0\n",
		"\npinocchio_fake 1\n", "\ngo_goroutines ", "\nprocess_cpu_seconds_total ",
	} {
		if !strings.Contains(got.body, line) {
			t.Errorf("%q is missing", line)
		}
	}
	if strings.Contains(got.body, "secret-key") {
		t.Error("a client's key stands in the metrics")
	}
	if strings.Contains(got.body, `status="0"`) {
		t.Error("an answer has a status that the table lacks")
	}
}

func TestMetrics_ShowTheIncrementBeforeTheFirstOne(t *testing.T) {
	page := start(t, &fakeService{}).do(get("/metrics")).body
	if !strings.Contains(page, "\npinocchio_http_requests_total{route=\"/api/v1/increment\",status=\"202\"} 0\n") {
		t.Error("a rate over the increments would miss the first ones")
	}
}

func TestMetrics_AreTheServersOwn(t *testing.T) {
	first, second := start(t, &fakeService{}), start(t, &fakeService{})
	first.do(post(increment))
	if page := second.do(get("/metrics")).body; !strings.Contains(page, "\npinocchio_http_requests_total{route=\"/api/v1/increment\",status=\"202\"} 0\n") {
		t.Error("two nodes in one process share a counter")
	}
}

func TestMetrics_ShowOpenConnections(t *testing.T) {
	h := start(t, &fakeService{})
	for range 3 {
		h.dial()
	}
	eventually(t, "all are accepted", func() bool { return h.conns.len() == 3 })
	if page := h.do(get("/metrics")).body; !strings.Contains(page, "\npinocchio_http_connections_open 4\n") {
		t.Error("want 4 open connections")
	}
}

// Every route and every status must be in the tables, or their answers would be counted as something else.
func TestRoutes_HaveAName(t *testing.T) {
	seen := map[string]bool{}
	for r := range route(routeCount) {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("route %d has the name %q", r, r)
		}
		seen[r.String()] = true
	}
	for _, f := range append(failureTable(DefaultConfig().Durabilities), commandTable()...) {
		known := false
		for _, status := range statuses {
			known = known || status == f.status
		}
		if !known {
			t.Errorf("the status %d of %v is not in the table of statuses", f.status, f.err)
		}
	}
}
