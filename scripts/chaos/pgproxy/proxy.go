package pgproxy

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Trap breaks the connection of the next request that holds the marker.
type Trap struct {
	Drop   bool // let the server answer, and throw the answer away with the connection
	Answer bool // else: end the connection after Bytes bytes of the answer; not set: of the request
	Bytes  int
}

// Proxy forwards connections to a server. Its methods are safe for concurrent use.
type Proxy struct {
	target   string
	marker   []byte
	listener net.Listener
	running  sync.WaitGroup
	sprung   func(Trap)

	mu struct {
		sync.Mutex
		links  map[*link]struct{}
		traps  []Trap
		lag    time.Duration
		closed bool
	}
}

// Listen starts a proxy on listen (host:port) for target. It calls sprung whenever a trap has broken a connection. The caller
// calls Close.
func Listen(listen, target, marker string, sprung func(Trap)) (*Proxy, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	p := &Proxy{target: target, marker: []byte(marker), listener: l, sprung: sprung}
	p.mu.links = map[*link]struct{}{}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the host:port that it listens on.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set arms a trap.
func (p *Proxy) Set(t Trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.traps = append(p.mu.traps, t)
}

// Disarm takes away the traps that have not sprung.
func (p *Proxy) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.traps = nil
}

// Delay makes everything take so much longer, in each direction.
func (p *Proxy) Delay(lag time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.lag = lag
}

// Close ends all connections and waits until their goroutines have ended.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.mu.closed = true
	for l := range p.mu.links {
		l.close()
	}
	p.mu.Unlock()
	p.running.Wait()
	return err
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

func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	l := newLink(p, client, server)
	defer l.close()
	if !p.add(l) {
		return
	}
	var both sync.WaitGroup
	both.Go(l.toServer)
	both.Go(l.toClient)
	both.Wait()
	p.mu.Lock()
	delete(p.mu.links, l)
	p.mu.Unlock()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.closed {
		p.mu.links[l] = struct{}{}
	}
	return !p.mu.closed
}

// trap returns the next armed trap, which is so no more.
func (p *Proxy) trap() (t Trap, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.traps) == 0 {
		return Trap{}, false
	}
	t, p.mu.traps = p.mu.traps[0], p.mu.traps[1:]
	return t, true
}

func (p *Proxy) lag() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.lag
}
