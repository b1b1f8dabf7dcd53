package httpapi

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/limit"
)

// allowances is a Limiter whose clock stands still.
type allowances struct {
	clients *limit.Clients

	mu   sync.Mutex
	seen []string
}

func (a *allowances) Take(client []byte, cost int) limit.Decision {
	a.mu.Lock()
	a.seen = append(a.seen, string(client))
	a.mu.Unlock()
	return a.clients.Take(limit.IDOf(client), cost, int64(time.Hour))
}

func (a *allowances) last() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[len(a.seen)-1]
}

// limited turns on a rate limit.
func limited(t *testing.T, text string, change ...func(*Config)) (*harness, *allowances, *fakeService) {
	t.Helper()
	p, err := limit.ParsePolicy(text, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, f := &allowances{clients: limit.NewClients(p, 1000)}, &fakeService{}
	set := func(cfg *Config) { cfg.Rate.Limiter, cfg.Rate.Policy = a, p }
	return start(t, f, append([]func(*Config){set}, change...)...), a, f
}

func TestRate_AnswersTheThirdOfTwoWith429(t *testing.T) {
	h, _, f := limited(t, "2/5s")
	for i, want := range []struct {
		status           int
		remaining, retry string
	}{
		{202, `"increments";r=1;t=3`, ""},
		{202, `"increments";r=0;t=5`, ""},
		{429, `"increments";r=0;t=5`, "3"},
	} {
		got := h.do(post(increment))
		if got.StatusCode != want.status || got.Header.Get("RateLimit") != want.remaining || got.Header.Get("Retry-After") != want.retry {
			t.Errorf("request %d: %d %v", i, got.StatusCode, got.Header)
		}
		if policy := got.Header.Get("RateLimit-Policy"); policy != `"increments";q=2;w=5` {
			t.Errorf("request %d: policy %s", i, policy)
		}
		if got.StatusCode == 429 && got.body != `{"errors":{"detail":["this client has sent too many increments, and nothing was counted: wait as long as Retry-After says"]}}` {
			t.Error(got.body)
		}
	}
	if f.counted() != 2 {
		t.Errorf("%d were counted", f.counted())
	}
	for _, path := range []string{"/api/v1/increment/a", "/api/v1/counters/a", "/api/v1/cluster", "/readyz", "/metrics"} {
		if got := h.do(get(path)); got.StatusCode != 200 || got.Header.Get("RateLimit") != "" {
			t.Errorf("%s: %d: only increments are limited", path, got.StatusCode)
		}
	}
	if got := h.do(request("POST", "/increment", increment)); got.StatusCode != 429 {
		t.Errorf("the short name: %d", got.StatusCode)
	}
}

func TestRate_TakesEachItemOfABatch(t *testing.T) {
	h, _, f := limited(t, "5/h")
	batch := func(n int) answer {
		body := "["
		for i := range n {
			if i > 0 {
				body += ","
			}
			body += `{"key":"a","value":1}`
		}
		return h.do(request("POST", "/api/v1/increments", body+"]"))
	}
	// To wait does not help: who were told to would repeat it for ever.
	if got := batch(6); got.StatusCode != 413 || got.Header.Get("Retry-After") != "" || f.counted() != 0 || !strings.Contains(got.body, "at most 5 increments") {
		t.Errorf("more than can ever pass: %d %v %s", got.StatusCode, got.Header, got.body)
	}
	if got := batch(3); got.StatusCode != 200 || got.Header.Get("RateLimit") != `"increments";r=2;t=2160` {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := batch(3); got.StatusCode != 429 || got.Header.Get("Retry-After") != "720" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	if got := batch(2); got.StatusCode != 200 || f.counted() != 5 {
		t.Errorf("%d, %d counted", got.StatusCode, f.counted())
	}
}

func TestRate_KnowsAClientByItsAddress(t *testing.T) {
	proxies, err := limit.ParseProxies([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	direct, seen, _ := limited(t, "100/s")
	direct.do(post(increment, "X-Forwarded-For: 203.0.113.5"))
	if got := seen.last(); got != "ip:127.0.0.1" {
		t.Errorf("without a trusted proxy: %s", got)
	}
	behind, seen, _ := limited(t, "100/s", func(cfg *Config) { cfg.Rate.Proxies = proxies })
	for header, want := range map[string]string{
		"X-Forwarded-For: 6.6.6.6, 203.0.113.5":                    "ip:203.0.113.5",
		"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.5": "ip:203.0.113.5",
		"x-forwarded-for: 2001:db8::1":                             "ip:2001:db8::/64",
		"X-Other: 1":                                               "ip:127.0.0.1",
	} {
		behind.do(post(increment, header))
		if got := seen.last(); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

// A proxy writes one of the headers and passes on what a client wrote into the other.
func TestRate_BelievesOneHeaderOnly(t *testing.T) {
	proxies, err := limit.ParseProxies([]string{"127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for forwarded, want := range map[bool]string{false: "ip:203.0.113.5", true: "ip:203.0.113.6"} {
		h, seen, _ := limited(t, "100/s", func(cfg *Config) { cfg.Rate.Proxies, cfg.Rate.Forwarded = proxies, forwarded })
		h.do(post(increment, "X-Forwarded-For: 203.0.113.5", "Forwarded: for=6.6.6.6", `Forwarded: for="203.0.113.6";proto=https`))
		if got := seen.last(); got != want {
			t.Errorf("forwarded %v: %s, want %s", forwarded, got, want)
		}
		other := map[bool]string{true: "X-Forwarded-For: 6.6.6.6", false: "Forwarded: for=6.6.6.6"}[forwarded]
		h.do(post(increment, other))
		if got := seen.last(); got != "ip:127.0.0.1" {
			t.Errorf("%s was believed: %s", other, got)
		}
	}
}

func TestRate_KnowsAClientByItsCredential(t *testing.T) {
	c := newCredentials(t)
	h, seen, _ := limited(t, "2/h", func(cfg *Config) { cfg.Access, cfg.Rate.ByCredential = c.guard, true })
	for i, who := range []string{"write", "write", "write", "admin"} {
		got := h.do(post(increment, c.header(who)...))
		if want := [4]int{202, 202, 429, 202}[i]; got.StatusCode != want || seen.last() != "credential:token:"+who {
			t.Errorf("%d by %s: %d, client %s", i, who, got.StatusCode, seen.last())
		}
	}
	if got := h.do(post(increment, c.header("unknown")...)); got.StatusCode != 401 || seen.last() != "credential:token:admin" {
		t.Errorf("a stranger: %d, and took from %s", got.StatusCode, seen.last())
	}
}

func TestConfig_RefusesARateLimitThatCannotWork(t *testing.T) {
	for name, r := range map[string]Rate{
		"no rate":       {Limiter: &allowances{}},
		"no credential": {Limiter: &allowances{}, Policy: limit.Policy{Quota: 1, Window: time.Second, Burst: 1}, ByCredential: true},
		"a bad rate":    {Limiter: &allowances{}, Policy: limit.Policy{Quota: 1, Window: time.Second}},
	} {
		cfg := DefaultConfig()
		cfg.Rate = r
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
