package flush_test

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// scissors is a proxy that cuts a connection within a marked request, or within its answer, after so many bytes.
type scissors struct {
	target   string
	marker   []byte
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	armed *cut
}

// cut is one cut to be made.
type cut struct {
	answer bool // not the request
	left   int  // bytes that pass before it
	made   bool
}

func newScissors(t *testing.T, target, marker string) *scissors {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &scissors{target: target, marker: []byte(marker), listener: l, open: map[net.Conn]struct{}{}}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.running.Wait()
	})
	return s
}

func (s *scissors) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() { s.serve(client) })
	}
}

// serve connects a client with the server until one of them ends, or the connection is cut.
func (s *scissors) serve(client net.Conn) {
	server, err := net.Dial("tcp", s.target)
	if err != nil {
		_ = client.Close()
		return
	}
	s.mu.Lock()
	s.open[client], s.open[server] = struct{}{}, struct{}{}
	s.mu.Unlock()
	p := &passage{scissors: s, client: client, server: server}
	var both sync.WaitGroup
	both.Go(func() { p.pass(client, server, p.ofRequest) })
	both.Go(func() { p.pass(server, client, p.ofAnswer) })
	both.Wait()
	s.mu.Lock()
	delete(s.open, client)
	delete(s.open, server)
	s.mu.Unlock()
}

// passage is one connection through the proxy.
type passage struct {
	*scissors
	client, server net.Conn
	answer         *cut // to be made in what the server answers next
}

// pass forwards what comes, up to a cut.
func (p *passage) pass(from, to net.Conn, next func([]byte) int) {
	defer func() {
		_ = from.Close()
		_ = to.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		passes := next(buf[:n])
		if _, err := to.Write(buf[:passes]); err != nil || passes < n {
			return
		}
	}
}

// ofRequest returns how much of what the client sent passes. The driver writes a request of this size at once.
func (p *passage) ofRequest(sent []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = nil // the last answer passed whole
	c := p.armed
	if c == nil || !bytes.Contains(sent, p.marker) {
		return len(sent)
	}
	p.armed = nil
	if c.answer {
		p.answer = c
		return len(sent)
	}
	return c.within(len(sent))
}

func (p *passage) ofAnswer(sent []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == nil {
		return len(sent)
	}
	return p.answer.within(len(sent))
}

// within returns how many of n bytes pass.
func (c *cut) within(n int) int {
	passes := min(n, c.left)
	c.left -= passes
	c.made = passes < n
	return passes
}

// arm has the next marked request, or its answer, cut after n bytes.
func (s *scissors) arm(answer bool, n int) *cut {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = &cut{answer: answer, left: n}
	return s.armed
}

func (s *scissors) made(c *cut) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.made
}

// The connection is cut at every byte of a flush and of its answer. A flush that did not arrive whole was not applied; one whose answer
// did not arrive whole was, and the ledger says so.
func TestPostgres_CountsExactlyWhereverAFlushIsCut_R3(t *testing.T) {
	const lanes = 4 // each has every fourth byte, and a database: most of the time is spent on new connections
	for lane := range lanes {
		t.Run(fmt.Sprint("Request/", lane), func(t *testing.T) {
			t.Parallel()
			cutEverywhere(t, false, lane, lanes)
		})
	}
	t.Run("Answer", func(t *testing.T) {
		t.Parallel()
		cutEverywhere(t, true, 0, 1)
	})
}

// cutEverywhere cuts after first bytes, first+step bytes, ... until a flush or an answer passes whole.
func cutEverywhere(t *testing.T, answer bool, first, step int) {
	db := server.NewDatabase(t)
	direct := &fixture{postgres: true, url: server.URL(db), query: func(t *testing.T, sql string) string {
		t.Helper()
		return server.Query(t, db, sql)
	}}
	s := newScissors(t, server.Addr(), "load:cut")
	far := &fixture{url: pgtest.URL(s.listener.Addr().String(), db)}
	f := startFlusher(t, far.open(t), member(t, direct.open(t), 0))
	cuts, at := 0, first
	for ; ; cuts, at = cuts+1, at+step {
		c := s.arm(answer, at)
		f.source.add(0, "load:cut", int64(at))
		f.want["load:cut"] += int64(at)
		must(t, f.flusher.Flush(t.Context()))
		if !s.made(c) {
			break
		}
	}
	f.check(direct)
	least, resolved := 300, 0
	if answer {
		least, resolved = 80, cuts
	}
	if at < least {
		t.Errorf("%d bytes were all", at)
	}
	// A busy machine may add a try that came to its deadline: what is resolved beyond the cuts needs one.
	if more := f.hooks.retried - cuts; more < 0 || f.hooks.resolved < resolved || f.hooks.resolved > resolved+more {
		t.Errorf("after %d cuts: %+v", cuts, f.hooks)
	}
}
