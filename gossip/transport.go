package gossip

import (
	"context"
	"errors"
	"log"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxStreams bounds the streams that are open at once, in and out (R10). memberlist starts a goroutine for each
// accepted one before it knows who that is.
const maxStreams = 256

// bindTries is for port 0: the kernel picks a free TCP port, whose UDP twin may be taken.
const bindTries = 10

// transport is memberlist's TCP and UDP transport with an end: closing it aborts dials and closes every stream, so
// that what waits on one returns at once and not after the stream timeout.
type transport struct {
	*memberlist.NetTransport
	ctx     context.Context // done when closed
	cancel  context.CancelFunc
	streams chan net.Conn
	wg      sync.WaitGroup

	mu struct {
		sync.Mutex
		open map[*stream]struct{}
	}
}

// stream takes itself off the transport's list when closed.
type stream struct {
	net.Conn
	t *transport
}

// listen opens the TCP and UDP listeners on host (an IP address, or "" for all) and port.
func listen(host string, port uint16, logger *log.Logger) (*transport, error) {
	var inner *memberlist.NetTransport
	var err error
	for try := 0; try < bindTries; try++ {
		inner, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{host}, BindPort: int(port), Logger: logger,
		})
		if err == nil || port != 0 || !inUse(err) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	t := &transport{NetTransport: inner, streams: make(chan net.Conn)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.mu.open = make(map[*stream]struct{})
	t.wg.Go(t.accept)
	return t, nil
}

// inUse tells whether a listener failed because its port is taken. memberlist keeps only the text of the cause.
func inUse(err error) bool { return strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) }

// accept hands accepted streams on, until the transport is closed.
func (t *transport) accept() {
	for {
		select {
		case conn := <-t.NetTransport.StreamCh():
			s, err := t.track(conn)
			if err != nil {
				continue
			}
			select {
			case t.streams <- s:
			case <-t.ctx.Done():
				return // Shutdown closes s
			}
		case <-t.ctx.Done():
			return
		}
	}
}

var errManyStreams = errors.New("too many gossip streams are open")

// track puts conn on the list, or closes it.
func (t *transport) track(conn net.Conn) (*stream, error) {
	s := &stream{Conn: conn, t: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.ctx.Err()
	if err == nil && len(t.mu.open) >= maxStreams {
		err = errManyStreams
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	t.mu.open[s] = struct{}{}
	return s, nil
}

// Close closes the stream. It may be called more than once.
func (s *stream) Close() error {
	s.t.mu.Lock()
	delete(s.t.mu.open, s)
	s.t.mu.Unlock()
	return s.Conn.Close()
}

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(t.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	s, err := t.track(conn)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Shutdown implements memberlist.Transport. It may be called more than once, and before anybody reads the channels:
// the inner Shutdown waits for listeners that may be handing something over, so this one takes it from them.
func (t *transport) Shutdown() error {
	t.cancel()
	t.mu.Lock()
	open := make([]*stream, 0, len(t.mu.open))
	for s := range t.mu.open {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		_ = s.Close()
	}
	t.wg.Wait()

	down := make(chan error, 1)
	go func() { down <- t.NetTransport.Shutdown() }()
	for {
		select {
		case conn := <-t.NetTransport.StreamCh():
			_ = conn.Close()
		case <-t.NetTransport.PacketCh():
		case err := <-down:
			return err
		}
	}
}
