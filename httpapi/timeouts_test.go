package httpapi

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/node"
)

func TestTimeouts_EndASlowRequest(t *testing.T) {
	for name, text := range map[string]string{
		"in the request line": "POST /incr",
		"in the headers":      "POST /increment HTTP/1.1\r\nHost: x\r\n",
		"in the body":         "POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n{\"key\":",
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeService{}
			h := start(t, f, func(c *Config) { c.ReadTimeout = 50 * time.Millisecond })
			for _, before := range []string{"", post(increment)} { // a first request, and one on a kept connection
				c := h.dial()
				if before != "" {
					c.send(before)
					c.receive("POST")
				}
				began := time.Now()
				c.send(text)
				got := c.receive("POST")
				if got.StatusCode != 408 || !strings.Contains(got.body, "send it again, within 50ms") || !got.Close {
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
				if took := time.Since(began); took < 50*time.Millisecond {
					t.Errorf("cut after %v, before the time was over", took)
				}
				c.Close()
			}
			if f.counted() != 1 {
				t.Errorf("%d counted, want 1", f.counted())
			}
		})
	}
}

func TestTimeouts_EndIdleConnectionsWithoutAWord(t *testing.T) {
	h := start(t, &fakeService{}, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
	silent, used := h.dial(), h.dial()
	used.send(post(increment))
	used.receive("POST")
	silent.ended()
	used.ended()
	if page := h.do(get("/metrics")).body; !strings.Contains(page, "\npinocchio_http_connections_timed_out_total 2\n") {
		t.Error("the two were not counted")
	}
}

func TestTimeouts_EndAClientThatDoesNotRead(t *testing.T) {
	h := start(t, &fakeService{}, func(c *Config) { c.WriteTimeout = 50 * time.Millisecond })
	c := h.dial()
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	one := get("/metrics")
	go func() {
		for { // until the server closes
			if _, err := c.Write([]byte(one)); err != nil {
				return
			}
		}
	}()
	eventually(t, "the connection is ended", func() bool {
		return h.metrics.timedOut.Get() == 1 && h.conns.len() == 0
	})
}

// A handler that waits for the database must not be cut by a timeout that is about the client.
func TestTimeouts_DoNotCountTheNodesOwnTime(t *testing.T) {
	release := make(chan struct{})
	f := &fakeService{before: func(node.Increment) { <-release }}
	h := start(t, f, func(c *Config) {
		c.ReadTimeout, c.WriteTimeout, c.IdleTimeout = minTimeout, minTimeout, minTimeout
	})
	c := h.dial()
	c.send(post(increment))
	eventually(t, "the handler waits", func() bool { return h.inPhase(phaseHandling) == 1 })
	began := h.clock.now()
	eventually(t, "many ticks pass", func() bool { return h.clock.now() > began+200 })
	close(release)
	if got := c.receive("POST"); got.StatusCode != 202 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// The sweep may come while a request is just being read to its end: it is executed then, and its answer must say that it
// is the last one.
func TestTimeouts_TellTheClientWhenTheyComeTooLate(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	f.before = func(node.Increment) { h.conns.each(func(c *conn) { c.doom(phaseReading) }) }
	c := h.dial()
	c.send(post(increment))
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("%d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
}

func TestTimeouts_AreCountedOnceForEachConnection(t *testing.T) {
	s, _ := quickServer(t)
	s.conns.add(newConn(new(requestsConn), &s.clock), 1)
	s.clock.start = s.clock.start.Add(-time.Hour)
	s.sweep()
	s.sweep() // the connection is still there
	if n := s.metrics.timedOut.Get(); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// inPhase counts the connections in a phase.
func (h *harness) inPhase(want phase) (n int) {
	h.conns.each(func(c *conn) {
		if p, _ := c.phase(); p == want {
			n++
		}
	})
	return n
}
