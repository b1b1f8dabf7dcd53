package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/node"
)

func TestDrain_ServesOnAndTellsClientsToGoElsewhere(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	kept := h.dial()
	kept.send(post(increment))
	if got := kept.receive("POST"); got.Close {
		t.Fatal("closed before the drain")
	}
	h.Drain()
	h.Drain()
	kept.send(post(increment))
	if got := kept.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("a kept connection: %d, closes %v", got.StatusCode, got.Close)
	}
	kept.ended()
	if got := h.do(post(increment)); got.StatusCode != 202 || !got.Close || f.total("k") != 3 {
		t.Errorf("a new connection: %d, closes %v, total %d", got.StatusCode, got.Close, f.total("k"))
	}
	if got := h.do(get("/readyz")); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "stopping") {
		t.Errorf("/readyz: %d %s", got.StatusCode, got.body)
	}
	if got := h.do(get("/healthz")); got.StatusCode != 200 {
		t.Errorf("/healthz: %d", got.StatusCode)
	}
	if n := strings.Count(h.logs.String(), "draining"); n != 1 {
		t.Errorf("%d log lines of the drain, want 1", n)
	}
}

// What stands behind an answer with Connection: close was not executed, so a client may send it again.
func TestDrain_DoesNotExecuteWhatWasPipelinedBehindTheLastAnswer(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	c := h.dial()
	h.Drain()
	c.send(strings.Repeat(post(increment), 500)) // more than the server reads at once
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Fatalf("%d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
	if f.total("k") != 1 {
		t.Errorf("%d were executed, 1 was answered", f.total("k"))
	}
}

func TestShutdown_AnswersTheRequestUnderWay(t *testing.T) {
	release := make(chan struct{})
	f := &fakeService{before: func(node.Increment) { <-release }}
	h := start(t, f)
	busy, idle, silent := h.dial(), h.dial(), h.dial()
	idle.send(get("/healthz"))
	idle.receive("GET")
	busy.send(post(increment))
	eventually(t, "the handler waits", func() bool { return h.inPhase(phaseHandling) == 1 && h.conns.len() == 3 })
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		h.shutdown()
	}()
	idle.ended() // while the other request still waits
	silent.ended()
	if _, err := net.Dial("tcp", h.addr); err == nil {
		t.Error("a new connection was accepted")
	}
	select {
	case <-stopped:
		t.Fatal("Shutdown did not wait for the request")
	default:
	}
	close(release)
	if got := busy.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("%d, closes %v", got.StatusCode, got.Close)
	}
	busy.Close()
	<-stopped
}

// The first request of a connection that was just accepted may still be on its way.
func TestShutdown_AnswersTheFirstRequestOfANewConnection(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	c := h.dial()
	eventually(t, "the connection is accepted", func() bool { return h.conns.len() == 1 })
	go h.shutdown()
	eventually(t, "the shutdown has begun", h.isClosed)
	c.send(post(increment))
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("%d, closes %v", got.StatusCode, got.Close)
	}
}

func TestShutdown_CutsWhatDoesNotEndInTime(t *testing.T) {
	release := make(chan struct{})
	f := &fakeService{before: func(node.Increment) { <-release }}
	h := start(t, f)
	c := h.dial()
	c.send(post(increment))
	eventually(t, "the handler waits", func() bool { return h.inPhase(phaseHandling) == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := h.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 HTTP connections were cut") {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := http.ReadResponse(c.r, nil); err == nil {
		t.Error("the connection was not cut")
	}
	close(release)
	eventually(t, "the goroutine ends", func() bool { return h.conns.len() == 0 })
}

// rolling is a client of a rolling restart: it keeps its connection while it may, and moves to the other server when it
// is told to. Every request is either answered or was behind an answer with Connection: close.
type rolling struct {
	servers  [2]*harness
	depth    int // requests that are sent at once
	answered atomic.Int64
	failed   atomic.Int64
}

func (r *rolling) run(stop <-chan struct{}, at int) {
	batch := strings.Repeat(post(increment), r.depth)
	for {
		c := r.servers[at%2].dial()
		for {
			select {
			case <-stop:
				c.Close()
				return
			default:
			}
			if _, err := io.WriteString(c, batch); err != nil {
				// Written into a connection that the server had ended: nobody read it.
				r.failed.Add(1)
				break
			}
			if !r.receive(c) {
				break
			}
		}
		c.Close()
		at++
	}
}

// receive reads the answers of one batch. It returns false when the connection is over.
func (r *rolling) receive(c *client) bool {
	for range r.depth {
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			r.failed.Add(1)
			return false
		}
		if resp.StatusCode != http.StatusAccepted {
			r.failed.Add(1)
		}
		r.answered.Add(1)
		if resp.Close {
			return false
		}
	}
	return true
}

func TestShutdown_LosesAndFailsNothingUnderLoad(t *testing.T) {
	for name, depth := range map[string]int{"one at a time": 1, "pipelined": 16} {
		t.Run(name, func(t *testing.T) {
			f := &fakeService{}
			r := &rolling{servers: [2]*harness{start(t, f), start(t, f)}, depth: depth}
			stop := make(chan struct{})
			var clients sync.WaitGroup
			for range 8 {
				clients.Go(func() { r.run(stop, 0) })
			}
			eventually(t, "load on the first", func() bool { return r.answered.Load() > 1000 })
			r.servers[0].Drain()
			eventually(t, "nobody is on the first any more", func() bool { return r.servers[0].conns.len() == 0 })
			before := r.answered.Load()
			r.servers[0].shutdown()
			eventually(t, "load on the second", func() bool { return r.answered.Load() > before+1000 })
			close(stop)
			clients.Wait()
			if r.failed.Load() != 0 || f.total("k") != r.answered.Load() {
				t.Errorf("%d answered, %d counted, %d failed", r.answered.Load(), f.total("k"), r.failed.Load())
			}
		})
	}
}

// Without the drain before it, a shutdown may refuse requests, but what it executes it answers.
func TestShutdown_AnswersWhatItExecutesAlsoWithoutADrain(t *testing.T) {
	for range 20 {
		f := &fakeService{}
		h := start(t, f)
		var answered atomic.Int64
		var clients sync.WaitGroup
		for range 8 {
			c := h.dial()
			clients.Go(func() {
				defer c.Close()
				batch := strings.Repeat(post(increment), 16)
				for {
					if _, err := io.WriteString(c, batch); err != nil {
						return
					}
					for range 16 {
						resp, err := http.ReadResponse(c.r, nil)
						if err != nil {
							return
						}
						if resp.StatusCode == http.StatusAccepted {
							answered.Add(1)
						}
						if resp.Close {
							return
						}
					}
				}
			})
		}
		eventually(t, "load", func() bool { return answered.Load() > 200 })
		h.shutdown()
		clients.Wait()
		if f.total("k") != answered.Load() {
			t.Fatalf("%d executed, %d answered", f.total("k"), answered.Load())
		}
	}
}
