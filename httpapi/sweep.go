package httpapi

import (
	"sync"
	"time"
)

// registry holds the open connections.
type registry struct {
	mu   sync.Mutex
	open map[*conn]struct{}
	gone chan struct{} // made by whenEmpty, closed when the last connection goes
}

// add takes c in, unless there are limit connections already.
func (r *registry) add(c *conn, limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) >= limit {
		return false
	}
	if r.open == nil {
		r.open = make(map[*conn]struct{})
	}
	r.open[c] = struct{}{}
	return true
}

// remove takes c out. It is the last act of the goroutine that serves c.
func (r *registry) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
	if r.gone != nil && len(r.open) == 0 {
		close(r.gone)
		r.gone = nil
	}
}

// whenEmpty returns a channel that is closed once no connection is left.
func (r *registry) whenEmpty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.open) == 0 {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if r.gone == nil {
		r.gone = make(chan struct{})
	}
	return r.gone
}

// each calls f for every connection, under the registry's lock: f must not block.
func (r *registry) each(f func(*conn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		f(c)
	}
}

func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// newGrace is how long a new connection may be silent while the server shuts down: its first request may be on its way.
const newGrace = 200 * time.Millisecond

// tickTime is how often the sweep looks: often enough that a timeout is at most a quarter late.
func (c Config) tickTime() time.Duration {
	return min(max(min(c.ReadTimeout, c.WriteTimeout, c.IdleTimeout)/8, minTimeout/2), time.Second)
}

// sweepUntil sweeps at every tick until stop is closed.
func (s *Server) sweepUntil(stop <-chan struct{}) {
	ticker := time.NewTicker(s.cfg.tickTime())
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			s.sweep()
		}
	}
}

// sweep ends the connections whose time is over, and in a shutdown those that wait for a request.
//
// It never closes a connection, it only makes a wait fail. A request that was read at the same moment is therefore
// executed and answered (with Connection: close), or it was not read to its end and is not executed.
func (s *Server) sweep() {
	now, closing := s.clock.tick(), s.isClosed()
	// A phase's start may have been noted one tick late by the clock, hence early in real time: never be early.
	allowed := func(d time.Duration) int64 { return (d + s.cfg.tickTime()).Milliseconds() }
	idle, reading, writing := allowed(s.cfg.IdleTimeout), allowed(s.cfg.ReadTimeout), allowed(s.cfg.WriteTimeout)
	s.conns.each(func(c *conn) {
		p, since := c.phase()
		age, over := now-since, false
		switch p {
		case phaseNew:
			over = age > idle || closing && age > newGrace.Milliseconds()
		case phaseIdle:
			over = age > idle || closing
		case phaseReading:
			over = age > reading
		case phaseWriting:
			over = age > writing
		}
		if !over {
			return
		}
		if !closing && !c.doomed.Load() {
			s.metrics.timedOut.Inc()
		}
		c.doom(p)
	})
}
