package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/node"
)

// walkCommandErrors is every error that only commands have.
func walkCommandErrors() []walked {
	const limit = `{"errors":{"max":["is 5, which the total (0) would pass with this value: nothing was counted"]},"data":{"key":"k","value":0,"applied":0}}`
	return []walked{
		{node.ErrOutOfBounds, 409, "", limit},
		{node.ErrTooFar, 422, "", `{"errors":{"value":["is too far from the present total for one change of 64 bits, and the counter was left as it is: ` +
			`set it to 0, and a second later to the value"]}}`},
		{node.ErrInDoubt, 504, "", `{"errors":{"detail":["this may have been counted, or may be yet: no answer of the key's owner came in time, ` +
			`or not the asked durability, or its Idempotency-Key counts with another total. A PUT or DELETE may be sent again, an increment with the same Idempotency-Key too; without one read the counter first"]}}`},
	}
}

func TestCommand_ErrorsBecomeStatusesByTheTables(t *testing.T) {
	if rows, table := len(walkCommandErrors()), len(commandTable()); rows != table {
		t.Errorf("the test walks %d errors, the table has %d", rows, table)
	}
	for _, row := range append(walkErrors(), walkCommandErrors()...) {
		h := start(t, &fakeService{err: fmt.Errorf("partition 7: %w", row.err)})
		for _, req := range []string{
			post(`{"key":"k","value":1,"max":5}`), request("PUT", "/api/v1/counters/k", `{"value":5}`), request("DELETE", "/api/v1/counters/k", ""),
		} {
			got := h.do(req)
			if row.err == node.ErrOutOfBounds && !strings.HasPrefix(req, "POST") {
				continue // a set has no bounds
			}
			if got.StatusCode != row.status || got.body != row.body || got.Header.Get("Retry-After") != row.retryAfter {
				t.Errorf("%v: %d %s, Retry-After %q", row.err, got.StatusCode, got.body, got.Header.Get("Retry-After"))
			}
		}
	}
}

func TestIncrement_KeepsWithinItsBounds(t *testing.T) {
	f := &fakeService{totals: map[string]int64{"k": 8}}
	h := start(t, f)
	data := func(value, applied int) string {
		return fmt.Sprintf(`"data":{"key":"k","value":%d,"applied":%d}`, value, applied)
	}
	for _, step := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"key":"k","value":2,"max":10}`, 200, `{` + data(10, 2) + `}`},
		{`{"key":"k","value":1,"max":"10","overflow":"reject"}`, 409, `{"errors":{"max":["is 10, which the total (10) would pass with this value: nothing was counted"]},` + data(10, 0) + `}`},
		{`{"key":"k","value":5,"max":12,"min":null,"overflow":"saturate"}`, 200, `{` + data(12, 2) + `}`},
		{`{"key":"k","value":"-13","min":0,"overflow":null}`, 409, `{"errors":{"min":["is 0, which the total (12) would pass with this value: nothing was counted"]},` + data(12, 0) + `}`},
		{`{"key":"k","value":-13,"min":0,"max":100,"overflow":"saturate","more":1}`, 200, `{` + data(0, -12) + `}`},
		{`{"key":"k","value":7,"min":null,"max":null,"overflow":null}`, 202, ``},
	} {
		if got := h.do(post(step.body)); got.StatusCode != step.status || got.body != step.want {
			t.Errorf("%s: %d %s", step.body, got.StatusCode, got.body)
		}
	}
	if f.total("k") != 7 {
		t.Errorf("the total is %d", f.total("k"))
	}
}

// To ignore a bound would count beyond it, for a client that was sure that it would not.
func TestIncrement_RefusesBoundsThatItCannotRead(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	bad := func(name string) string { return `"` + name + `":["is invalid"]` }
	const word = `"overflow":["must be \"reject\" or \"saturate\""]`
	for body, want := range map[string]string{
		`{"key":"k","value":1,"max":1.5}`:                              errorsOf(bad("max")),
		`{"key":"k","value":1,"min":"","max":9}`:                       errorsOf(bad("min")),
		`{"key":"k","value":1,"min":"0x","max":true}`:                  errorsOf(bad("min"), bad("max")),
		`{"key":"k","value":1,"max":9223372036854775808}`:              errorsOf(bad("max")),
		`{"key":"k","value":1,"min":6,"max":5}`:                        errorsOf(`"min":["must not be above max"]`),
		`{"key":"k","value":1,"overflow":"saturate"}`:                  errorsOf(`"overflow":["needs min or max"]`),
		`{"key":"k","value":1,"max":5,"overflow":"wrap"}`:              errorsOf(word),
		`{"key":"k","value":1,"overflow":7}`:                           errorsOf(word),
		`{"key":"k","value":1,"overflow":"reject","m\u0061x":{"x":1}}`: errorsOf(bad("max")),
		`{"key":"k","min":0}`:                                          errorsOf(blankVal),
		`{"key":"k","value":1,"min":0,"overflow":"REJECT"}`:            errorsOf(word),
	} {
		if got := h.do(post(body)); got.StatusCode != 422 || got.body != want {
			t.Errorf("%s: %d %s", body, got.StatusCode, got.body)
		}
	}
	if f.counted() != 0 {
		t.Error("something was counted")
	}
}

func TestCounter_IsSetAndReset(t *testing.T) {
	f := &fakeService{totals: map[string]int64{"a/b": 7}, keep: true}
	h := start(t, f)
	for _, step := range []struct {
		request string
		status  int
		want    string
	}{
		{request("PUT", "/api/v1/counters/a%2Fb", `{"value":5}`), 200, `{"data":{"key":"a/b","value":5,"previous":7}}`},
		{request("PUT", "/api/v1/counters/a/b", `{"value":"-9","key":"ignored"}`), 200, `{"data":{"key":"a/b","value":-9,"previous":5}}`},
		{request("DELETE", "/api/v1/counters/a/b", ""), 200, `{"data":{"key":"a/b","value":0,"previous":-9}}`},
		{request("DELETE", "/api/v1/counters/a/b", "not looked at"), 200, `{"data":{"key":"a/b","value":0,"previous":0}}`},
		{request("PUT", "/api/v1/counters/a", ``), 422, errorsOf(blankVal)},
		{request("PUT", "/api/v1/counters/a", `7`), 422, errorsOf(blankVal)},
		{request("PUT", "/api/v1/counters/a", `{"value":null}`), 422, errorsOf(blankVal)},
		{request("PUT", "/api/v1/counters/a", `{"value":1.5}`), 422, errorsOf(`"value":["is invalid"]`)},
		{request("PUT", "/api/v1/counters/a", `{"value":1,"max":5}`), 422, errorsOf(`"max":["is for increments, and the counter was left as it is: send the value without it"]`)},
		{request("PUT", "/api/v1/counters/", `{"value":1}`), 422, errorsOf(`"key":["can't be blank"]`)},
		{request("DELETE", "/api/v1/counters/%00", ""), 422, errorsOf(`"key":["is invalid"]`)},
	} {
		if got := h.do(step.request); got.StatusCode != step.status || got.body != step.want {
			t.Errorf("%.60q: %d %s", step.request, got.StatusCode, got.body)
		}
	}
	if f.total("a/b") != 0 || f.total("a") != 0 || len(f.changes) != 4 {
		t.Errorf("%d, %d after %d changes", f.total("a/b"), f.total("a"), len(f.changes))
	}
	for _, c := range f.changes {
		if !c.Set || c.Saturate || c.Min != math.MinInt64 || c.Max != math.MaxInt64 {
			t.Errorf("%+v", c)
		}
	}
}

func TestCommand_TakesTheHeadersOfAnIncrement(t *testing.T) {
	f := &fakeService{keep: true, replayed: true}
	h := start(t, f)
	headers := []string{"Durability: database", `Idempotency-Key: "order"`}
	for _, req := range []string{
		post(`{"key":"k","value":1,"max":5}`, headers...), request("PUT", "/api/v1/counters/k", `{"value":5}`, headers...),
		request("DELETE", "/api/v1/counters/k", "", headers...),
	} {
		got := h.do(req)
		c := f.changes[len(f.changes)-1]
		if got.StatusCode != http.StatusOK || got.Header.Get("Idempotency-Replayed") != "true" || c.Durability != node.Database || string(c.ID) != "order" || string(c.Key) != "k" {
			t.Errorf("%d %v: %+v", got.StatusCode, got.Header, c)
		}
	}
}

func TestRate_LimitsCommands(t *testing.T) {
	for name, req := range map[string]string{
		"bounded": post(`{"key":"k","value":1,"max":5}`), "PUT": request("PUT", "/api/v1/counters/k", `{"value":5}`), "DELETE": request("DELETE", "/api/v1/counters/k", ""),
	} {
		h, _, f := limited(t, "2/5s")
		for i, want := range []int{200, 200, 429} {
			if got := h.do(req); got.StatusCode != want || got.Header.Get("RateLimit") == "" {
				t.Errorf("%s %d: %d %v", name, i, got.StatusCode, got.Header)
			}
		}
		if f.counted() != 2 {
			t.Errorf("%s: %d were counted", name, f.counted())
		}
	}
}
