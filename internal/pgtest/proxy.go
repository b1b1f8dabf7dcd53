package pgtest

import (
	"errors"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a client and a Postgres server and breaks connections in chosen ways. Clients connect to Addr,
// without TLS: the proxy reads the protocol to know when the server has answered.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu struct {
		sync.Mutex
		links   map[*link]struct{}
		refuse  bool
		stalled chan struct{} // not nil: nothing passes until it is closed
		all     bool          // with stalled: on new connections neither
		traps   []*trap
		deaf    bool // to cancel requests
		closed  bool
	}
}

// StartProxy listens on a free port of 127.0.0.1 and forwards to target (host:port) until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p, err := LaunchProxy("127.0.0.1:0", target)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Stop)
	return p
}

// LaunchProxy listens on listen (host:port) and forwards to target. The caller calls Stop.
func LaunchProxy(listen, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, listener: l}
	p.mu.links = map[*link]struct{}{}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the proxy's host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes all present connections, on both sides.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.mu.links {
		l.close()
	}
}

// Refuse makes the proxy close new connections at once, or (with false) take them again.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.refuse = on
}

// Stall swallows the network: connections stay, but nothing passes in either direction until Stall(false), which
// delivers what was held back. New connections are taken and hang.
func (p *Proxy) Stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	if on {
		p.mu.stalled, p.mu.all = make(chan struct{}), true
	}
}

// StallPresent is Stall(true) for the present connections only, like a firewall that has forgotten them.
func (p *Proxy) StallPresent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stalled == nil {
		p.mu.stalled = make(chan struct{})
	}
	for l := range p.mu.links {
		l.forgotten = true
	}
}

// release ends a stall. p.mu is held.
func (p *Proxy) release() {
	if p.mu.stalled != nil {
		close(p.mu.stalled)
	}
	p.mu.stalled, p.mu.all = nil, false
	for l := range p.mu.links {
		l.forgotten = false
	}
}

// DropReply arms a trap: the request that holds the marker (a key, a piece of SQL) reaches the server, which executes
// it; when the server is done, having committed if it was to, the connection is closed before any byte of
// the answer gets through. The channel is closed then. Each call breaks one connection.
func (p *Proxy) DropReply(marker string) <-chan struct{} {
	return p.arm(&trap{marker: []byte(marker), sprung: make(chan struct{})})
}

// Abandon arms a trap: the request that holds the marker reaches the server, and the client's connection is
// closed at once, while the server, which does not notice, goes on. The channel is closed when the server is done with
// the request. From now on cancel requests are swallowed: the client has no way to reach the server.
func (p *Proxy) Abandon(marker string) <-chan struct{} {
	return p.arm(&trap{marker: []byte(marker), abandon: true, sprung: make(chan struct{})})
}

func (p *Proxy) arm(t *trap) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.traps = append(p.mu.traps, t)
	p.mu.deaf = p.mu.deaf || t.abandon
	return t.sprung
}

// Stop closes everything and waits for the proxy's goroutines. It may be called again.
func (p *Proxy) Stop() {
	p.mu.Lock()
	p.mu.closed = true
	p.release()
	_ = p.listener.Close()
	p.mu.Unlock()
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.running.Go(func() { p.serve(client) })
		}
	}
}

// serve connects a client with the server until one of them ends.
func (p *Proxy) serve(client net.Conn) {
	l := &link{proxy: p, client: client}
	if !p.add(l) {
		_ = client.Close()
		return
	}
	defer p.remove(l)
	p.pass(l)
	server, err := net.Dial("tcp", p.target)
	if err != nil || !l.connect(server) {
		l.close()
		return
	}
	var both sync.WaitGroup
	both.Go(l.toServer)
	both.Go(l.toClient)
	both.Wait()
	l.close()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.refuse || p.mu.closed {
		return false
	}
	p.mu.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.links, l)
}

// pass waits while the network is stalled for the link.
func (p *Proxy) pass(l *link) {
	p.mu.Lock()
	stalled := p.mu.stalled
	if !p.mu.all && !l.forgotten {
		stalled = nil
	}
	p.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
}

// spring returns the trap whose marker the bytes hold, and disarms it.
func (p *Proxy) spring(sent []byte) *trap {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.mu.traps {
		if t.matches(sent) {
			p.mu.traps = append(p.mu.traps[:i:i], p.mu.traps[i+1:]...)
			return t
		}
	}
	return nil
}

// isDeaf reports whether cancel requests are swallowed.
func (p *Proxy) isDeaf() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.deaf
}
