package httpapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// longBatch is one increment in a body of that size.
func longBatch(size int) string {
	const item = `[{"key":"a","value":1}`
	return item + strings.Repeat(" ", size-len(item)-1) + "]"
}

// announced is the head of a request with many increments whose body does not come.
func announced(size int, headers ...string) string {
	return "POST " + many + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, ""), "\r\n") + fmt.Sprintf("Content-Length: %d\r\n\r\n", size)
}

// inChunks sends a body in one chunk.
func inChunks(body string, headers ...string) string {
	head := "POST " + many + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(headers, ""), "\r\n")
	return head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

// wholeAgain waits until no large body holds anything.
func (h *harness) wholeAgain() {
	h.t.Helper()
	eventually(h.t, "no large body is under way", func() bool { return h.large.left.Load() == int64(h.cfg.MaxLargeBytes/largePage) })
}

// Nobody waits for the body, and no memory is taken for it: none of these sends one.
func TestAccess_RefusesALargeBodyBeforeItIsReadWhenItsCredentialMayNotCount(t *testing.T) {
	c := newCredentials(t)
	f := &fakeService{}
	h := start(t, f, func(cfg *Config) { cfg.Access = c.guard })
	for who, status := range map[string]int{"none": 401, "unknown": 401, "read": 403} {
		for _, expect := range []string{"X: x", "Expect: 100-continue"} {
			client := h.dial()
			client.send(announced(h.cfg.MaxBatchBytes, append(c.header(who), expect)...))
			got := client.receive("POST")
			if got.StatusCode != status || !got.Close || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %d %s %v", who, expect, got.StatusCode, got.body, got.Header)
			}
			_ = client.Close()
		}
		got := h.do(inChunks(longBatch(h.cfg.MaxBodyBytes+1), c.header(who)...))
		if got.StatusCode != 413 || !strings.Contains(got.body, fmt.Sprintf("at most %d bytes from clients without a credential that may count", h.cfg.MaxBodyBytes)) {
			t.Errorf("%s, in chunks: %d %s", who, got.StatusCode, got.body)
		}
	}
	if got := h.do(request("GET", many, longBatch(h.cfg.MaxBodyBytes+1))); got.StatusCode != 413 {
		t.Errorf("a GET: %d", got.StatusCode)
	}
	for _, text := range []string{request("POST", many, longBatch(h.cfg.MaxBatchBytes), c.header("write")...), inChunks(longBatch(1<<20), c.header("write")...)} {
		if got := h.do(text); got.StatusCode != 200 {
			t.Errorf("with a credential: %d %s", got.StatusCode, got.body)
		}
	}
	if got := h.do(inChunks(longBatch(h.cfg.MaxBatchBytes+1), c.header("write")...)); got.StatusCode != 413 || !strings.Contains(got.body, fmt.Sprintf("at most %d bytes\"", h.cfg.MaxBatchBytes)) {
		t.Errorf("longer than any may be: %d %s", got.StatusCode, got.body)
	}
	if f.counted() != 2 {
		t.Errorf("%d were counted", f.counted())
	}
	h.wholeAgain()
}

// A node that has not fetched its keys yet does not know: it says so, however the body comes, and the client asks again.
func TestAccess_DoesNotKnowYetWhoSendsALargeBody(t *testing.T) {
	guard, err := access.New(access.Config{KeySetURL: "https://127.0.0.1:1/keys", Issuer: "i", Audience: "a", ScopeClaim: "scope", PrefixClaim: "prefix"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, &fakeService{}, func(cfg *Config) { cfg.Access = guard })
	const token = "Authorization: Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6OTk5OTk5OTk5OX0.AAAA"
	for way, text := range map[string]string{"announced": announced(1<<20, token), "chunks": inChunks(longBatch(1<<20), token)} {
		if got := h.do(text); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %s", way, got.StatusCode, got.Header, got.body)
		}
	}
	h.wholeAgain()
}

func TestLimits_BoundWhatLargeBodiesHoldTogether_R10(t *testing.T) {
	const size = 3 * largePage
	f := &fakeService{}
	h := start(t, f, func(cfg *Config) { cfg.MaxBatchBytes, cfg.MaxLargeBytes = size, size+2*largePage })
	for name, end := range map[string]func(*client){
		"answered": func(c *client) {
			c.send(longBatch(size))
			if got := c.receive("POST"); got.StatusCode != 200 {
				t.Errorf("the first: %d %s", got.StatusCode, got.body)
			}
		},
		"gone": func(c *client) { _ = c.Close() },
		"gone in the middle": func(c *client) {
			c.send(longBatch(size)[:size/2])
			_ = c.Close()
		},
		"broken": func(c *client) {
			c.send(longBatch(size)[:size/2])
			_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
			if got := c.receive("POST"); got.StatusCode != 400 {
				t.Errorf("half a body: %d", got.StatusCode)
			}
		},
	} {
		first := h.dial()
		first.send(announced(size))
		eventually(t, "the first is under way", func() bool { return h.large.left.Load() == 2 })
		for way, text := range map[string]string{
			"announced": announced(size), "Expect": announced(size, "Expect: 100-continue"), "chunks": inChunks(longBatch(size - 1)),
		} {
			got := h.do(text)
			if got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || !got.Close || !strings.Contains(got.body, "busy with other large requests") {
				t.Errorf("%s, %s, while another is under way: %d %v %s", name, way, got.StatusCode, got.Header, got.body)
			}
		}
		before := f.counted()
		for way, text := range map[string]string{
			"fits": request("POST", many, longBatch(2*largePage)), "small": request("POST", many, longBatch(100)), "small chunks": inChunks(longBatch(100)),
		} {
			if got := h.do(text); got.StatusCode != 200 {
				t.Errorf("%s, %s, while another is under way: %d %s", name, way, got.StatusCode, got.body)
			}
		}
		if got := f.counted() - before; got != 3 {
			t.Errorf("%s: %d of 3 were counted", name, got)
		}
		end(first)
		h.wholeAgain()
		if got := h.do(request("POST", many, longBatch(size))); got.StatusCode != 200 {
			t.Errorf("%s: after it: %d %s", name, got.StatusCode, got.body)
		}
		h.wholeAgain()
	}
}

// What a connection has read once it does not hold for ever.
func TestLimits_AnIdleConnectionHoldsNoLongBody(t *testing.T) {
	const connections, size = 32, 2 << 20
	h := start(t, &fakeService{})
	text := request("POST", many, longBatch(size))
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what pools hold lives through one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range connections {
		c := h.dial()
		c.send(text)
		if got := c.receive("POST"); got.StatusCode != http.StatusOK {
			t.Fatal(got.StatusCode, got.body)
		}
	}
	h.wholeAgain()
	if grown := heap() - before; grown > connections*size/4 {
		t.Errorf("%d idle connections hold %d KiB", connections, grown>>10)
	} else {
		t.Logf("%d idle connections hold %d KiB", connections, grown>>10)
	}
}
