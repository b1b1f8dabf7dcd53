package httpapi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/node"
)

func TestPrefer_ReturnsTheTotalWhenAskedInAnyForm(t *testing.T) {
	for _, row := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{"Prefer: return=representation"}, true},
		{[]string{"prefer: Return=Representation"}, true},
		{[]string{"Prefer:   return = representation  "}, true},
		{[]string{`Prefer: return="representation"`}, true},
		{[]string{"Prefer: respond-async, wait=5, return=representation"}, true},
		{[]string{"Prefer: return=representation; foo=bar, handling=lenient"}, true},
		{[]string{`Prefer: x="a,return=minimal,b", return=representation`}, true},
		{[]string{`Prefer: x="a\",return=minimal", return=representation`}, true},
		{[]string{"Prefer: respond-async", "Prefer: return=representation"}, true},
		{[]string{"Prefer: ,, ,return=representation,"}, true},
		{[]string{"Prefer: return=minimal"}, false},
		{[]string{"Prefer: return"}, false},
		{[]string{"Prefer: "}, false},
		{[]string{"Prefer: returns=representation"}, false},
		{[]string{"Prefer: return=representations"}, false},
		{[]string{`Prefer: x="return=representation"`}, false},
		{[]string{`Prefer: x=", return=representation`}, false}, // a quote that never ends
		{[]string{"Prefer: x; return=representation"}, false},   // a parameter of x
		{[]string{"Prefer: return=minimal, return=representation"}, false},
		{[]string{"Prefer: return=representation", "Prefer: return=minimal"}, true},
	} {
		t.Run(strings.Join(row.lines, " | "), func(t *testing.T) {
			f := &fakeService{keep: true, totals: map[string]int64{"key1": 4}}
			got := start(t, f).do(post(`{"key":"key1","value":3}`, row.lines...))
			status, body, applied := 202, "", ""
			if row.want {
				status, body, applied = 200, `{"data":{"key":"key1","value":7}}`, "return=representation"
			}
			if got.StatusCode != status || got.body != body || got.Header.Get("Preference-Applied") != applied {
				t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
			}
			if f.last().Return != row.want {
				t.Errorf("the node was told %v", f.last().Return)
			}
		})
	}
}

func TestPrefer_QuotesTheKeyOfTheAnswer(t *testing.T) {
	h := start(t, &fakeService{})
	got := h.do(post(`{"key":"a\"\\\n<ключ>\u0001","value":1}`, "Prefer: return=representation"))
	if want := `{"data":{"key":"a\"\\\n<ключ>\u0001","value":1}}`; got.body != want {
		t.Errorf("body %s\nwant %s", got.body, want)
	}
}

func TestPrefer_IsNotAppliedWhenTheTotalIsNotKnown(t *testing.T) {
	for _, f := range []*fakeService{{noTotal: true}, {later: true}} {
		got := start(t, f).do(post(`{"key":"key1","value":3}`, "Prefer: return=representation"))
		if got.StatusCode != 202 || got.body != "" || got.Header.Get("Preference-Applied") != "" {
			t.Errorf("later %v: %d %s %v", f.later, got.StatusCode, got.body, got.Header)
		}
		want := ""
		if f.later {
			want = "later"
		}
		if c := got.Header.Get("Counted"); c != want {
			t.Errorf("Counted: %q, want %q", c, want)
		}
	}
}

func TestIncrement_SaysThatItWillBeCountedLater(t *testing.T) {
	got := start(t, &fakeService{later: true}).do(post(`{"key":"key1","value":3}`))
	if got.StatusCode != 202 || got.Header.Get("Counted") != "later" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

func TestDurability_ReachesTheNode(t *testing.T) {
	f := &fakeService{keep: true}
	h := start(t, f)
	for text, want := range map[string]node.Durability{
		"memory": node.Memory, "disk": node.Disk, "replica": node.Replica, "database": node.Database, " DataBase ": node.Database,
	} {
		if got := h.do(post(`{"key":"k","value":1}`, "durability: "+text)); got.StatusCode != 202 || f.last().Durability != want {
			t.Errorf("%q: %d %s, the node got level %d", text, got.StatusCode, got.body, f.last().Durability)
		}
	}
}

func TestDurability_RefusesWhatIsNoLevel(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	want := `{"errors":{"durability":["must be one of memory, disk, replica and database"]}}`
	for _, lines := range []string{"Durability: ", "Durability: tape", "Durability: memory, disk", "Durability: memory\r\nDurability: disk", "Durability: \u212aeplica"} {
		if got := h.do(post(`{"key":"k","value":1}`, lines)); got.StatusCode != 400 || got.body != want {
			t.Errorf("%q: %d %s", lines, got.StatusCode, got.body)
		}
	}
	if f.counted() != 0 {
		t.Error("something was counted")
	}
}

func TestReads_SayWhenTheyMayBeBehindAndAreNotCached(t *testing.T) {
	for _, stale := range []bool{false, true} {
		h := start(t, &fakeService{stale: stale, unstored: true})
		for path, body := range map[string]string{
			"/api/v1/increment/k": `{"data":{"value":0}}`,
			"/api/v1/counters/k":  `{"data":{"key":"k","value":0,"persisted":null}}`,
		} {
			got, warning := h.do(get(path)), ""
			if stale {
				warning = `110 - "Response is Stale"`
			}
			if got.StatusCode != 200 || got.body != body || got.Header.Get("Warning") != warning {
				t.Errorf("%s, stale %v: %d %s %v", path, stale, got.StatusCode, got.body, got.Header)
			}
			if got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s may be cached: %v", path, got.Header)
			}
		}
	}
}

// walked is an error that a Service may return, and what a client must see of it.
type walked struct {
	err        error
	status     int
	retryAfter string
	body       string
}

// walkErrors is every error but those of commands.
func walkErrors() []walked {
	return []walked{
		{node.ErrNotReady, 503, "1", `{"errors":{"detail":["this node is starting or stopping and did not take the request: send it again, or to another node"]}}`},
		{node.ErrOverloaded, 503, "1", `{"errors":{"detail":["too many increments are waiting for the database, and this one was not counted: send it again later"]}}`},
		{node.ErrUnreachable, 503, "1", `{"errors":{"detail":["the node that owns this key cannot be reached at the moment: send the request again"]}}`},
		{node.ErrStoreDown, 503, "1", `{"errors":{"detail":["the database cannot be read at the moment: send the request again"]}}`},
		{node.ErrOutOfRange, 422, "", `{"errors":{"value":["would take the total out of the range of a 64-bit integer: the counter was left as it is"]}}`},
		{node.ErrDurabilityTimeout, 504, "", `{"errors":{"detail":["the increment is held and will be counted, but the durability was not reached in time: do not send it again without an Idempotency-Key, it would count twice"]}}`},
		{node.ErrDurabilityUnavailable, 503, "5", `{"errors":{"durability":["is not available on this node, its log says why, and nothing was counted: use another node, or use memory or database"]}}`},
		{node.ErrTooFewNodes, 503, "5", `{"errors":{"durability":["needs a second node to hold a copy, there is none at the moment, and nothing was counted: send it again later, or ask for another durability"]}}`},
		{node.ErrIDReused, 422, "", `{"errors":{"idempotency_key":["was used for another increment of this counter, and nothing was counted: use a new one for each increment"]}}`},
		{fmt.Errorf("pq: password of 10.0.0.7 refused"), 500, "", `{"errors":{"detail":["internal error: this node's log says more"]}}`},
	}
}

func TestErrors_BecomeStatusesByOneTable(t *testing.T) {
	if rows, table := len(walkErrors())-1, len(failureTable(DefaultConfig().Durabilities)); rows != table {
		t.Errorf("the test walks %d errors, the table has %d", rows, table)
	}
	for _, row := range walkErrors() {
		for _, wrapped := range []error{row.err, fmt.Errorf("partition 7: %w", row.err)} {
			f := &fakeService{err: wrapped}
			h := start(t, f)
			for _, req := range []string{post(`{"key":"k","value":1}`), get("/api/v1/increment/k"), get("/api/v1/counters/k"), get("/api/v1/counters")} {
				got := h.do(req)
				if got.StatusCode != row.status || got.body != row.body || got.Header.Get("Retry-After") != row.retryAfter {
					t.Errorf("%v: %d %s, Retry-After %q", wrapped, got.StatusCode, got.body, got.Header.Get("Retry-After"))
				}
				if row.status >= 500 && strings.Contains(got.body, "partition 7") {
					t.Errorf("%v shows internals: %s", wrapped, got.body)
				}
			}
			if logged := strings.Contains(h.logs.String(), "request failed"); logged != (row.status == 500) {
				t.Errorf("%v: logged %v", wrapped, logged)
			}
		}
	}
}

func TestErrors_NameTheDurabilitiesThatThisNodeHas(t *testing.T) {
	f := &fakeService{err: node.ErrDurabilityUnavailable}
	for want, levels := range map[string][]node.Durability{
		"use database":                 {node.Database},
		"use memory, disk or database": {node.Memory, node.Disk, node.Database},
	} {
		h := start(t, f, func(c *Config) { c.Durabilities = levels })
		if got := h.do(post(`{"key":"k","value":1}`)); !strings.Contains(got.body, want+`"]`) {
			t.Errorf("%s, want %s", got.body, want)
		}
	}
}

func TestReady_AnswersWhatTheNodeSaysAndLogsOnlyChanges(t *testing.T) {
	f := &fakeService{notReady: fmt.Errorf("dial 10.0.0.7:5432: refused")}
	h := start(t, f)
	for range 3 {
		got := h.do(get("/readyz"))
		if got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || strings.Contains(got.body, "10.0.0.7") {
			t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
		}
	}
	if got := h.do(get("/healthz")); got.StatusCode != 200 {
		t.Errorf("a node that is not ready is alive, but /healthz says %d", got.StatusCode)
	}
	if n := strings.Count(h.logs.String(), "not ready"); n != 1 || !strings.Contains(h.logs.String(), "10.0.0.7") {
		t.Errorf("%d log lines, want one with the reason: %s", n, h.logs)
	}
}

// Whoever finds a node unready is told what somebody must see to, and no more than that.
func TestReady_SaysWhatHasFailedWithoutTheNodesWords(t *testing.T) {
	inner := errors.New("write /var/lib/private/n1/log-7 at 10.0.0.7: no space left on device")
	for err, want := range map[error]string{
		node.ErrStoreDown:    "the database cannot be reached",
		node.ErrLogFailed:    "its log on disk has failed or is full",
		errors.New("joined"): "its log says why",
	} {
		h := start(t, &fakeService{notReady: fmt.Errorf("%w: %w: %w", node.ErrNotReady, err, inner)})
		got := h.do(get("/readyz"))
		if got.StatusCode != 503 || !strings.Contains(got.body, want) || strings.Contains(got.body, "private") || strings.Contains(got.body, "10.0.0.7") {
			t.Errorf("%v: %d %s", err, got.StatusCode, got.body)
		}
		if !strings.Contains(h.logs.String(), "no space left") {
			t.Errorf("%v: the log does not say more: %s", err, h.logs)
		}
	}
}

func TestPanic_IsA500AndALogLineAndTheNodeLives(t *testing.T) {
	f := &fakeService{before: func(in node.Increment) {
		if string(in.Key) == "bad" {
			panic("secret fault")
		}
	}}
	h := start(t, f)
	c := h.dial()
	c.send(post(`{"key":"bad","value":1}`))
	got := c.receive("POST")
	if got.StatusCode != 500 || got.body != `{"errors":{"detail":["internal error: this node's log says more"]}}` || got.Header.Get("Content-Type") != jsonType {
		t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
	}
	c.send(post(`{"key":"good","value":1}`))
	if got := c.receive("POST"); got.StatusCode != 202 || f.total("good") != 1 {
		t.Errorf("after the panic: %d %s", got.StatusCode, got.body)
	}
	logs := h.logs.String()
	if strings.Count(logs, "panic while answering a request") != 1 || !strings.Contains(logs, "secret fault") || !strings.Contains(logs, "service_test.go") {
		t.Errorf("the log lacks the panic or its stack: %s", logs)
	}
	if page := h.do(get("/metrics")).body; !strings.Contains(page, "\npinocchio_http_panics_total 1\n") {
		t.Error("the panic was not counted")
	}
}
