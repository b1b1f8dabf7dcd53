package bench

import (
	"bufio"
	"context"
	"net"
	"time"
)

// readBuffer holds the responses to a batch of 64 with room to spare.
const readBuffer = 16 << 10

// conn is one connection to a target, used by one goroutine.
type conn struct {
	net    net.Conn
	target int
	br     *bufio.Reader
	wire   arrivals
	// timeout is the longest wait for a response. The deadline is moved only when less than that is left, to timeout plus a
	// quarter: so it costs nothing per request, and a response may take up to a quarter longer than timeout.
	timeout  time.Duration
	deadline time.Time
}

// arrivals reads from a connection and remembers when the latest bytes came. One look at the clock serves all responses
// that arrived together, and what the generator then does with them is not counted as their latency.
type arrivals struct {
	net net.Conn
	at  time.Time
}

// Read implements io.Reader.
func (a *arrivals) Read(p []byte) (int, error) {
	n, err := a.net.Read(p)
	a.at = time.Now()
	return n, err
}

// dial connects to a target. Nothing has been sent when it fails.
func dial(ctx context.Context, at place, target int, timeout time.Duration) (*conn, error) {
	nc, err := at.connect(ctx, min(timeout, dialTimeout))
	if err != nil {
		return nil, err
	}
	return newConn(nc, target, timeout), nil
}

func newConn(nc net.Conn, target int, timeout time.Duration) *conn {
	c := &conn{net: nc, target: target, timeout: timeout, wire: arrivals{net: nc, at: time.Now()}}
	c.br = bufio.NewReaderSize(&c.wire, readBuffer)
	return c
}

// dialTimeout bounds a connect: it needs one round trip, with TLS two or three, however slow the server.
const dialTimeout = 2 * time.Second

// extend moves the deadline when less than the timeout is left.
func (c *conn) extend(now time.Time) error {
	if c.deadline.Sub(now) >= c.timeout {
		return nil
	}
	c.deadline = now.Add(c.timeout + c.timeout/4)
	return c.net.SetDeadline(c.deadline)
}

// idleCheck is how long a connection rests before reuse looks whether the server has closed it meanwhile.
const idleCheck = 5 * time.Millisecond

// stale tells that a connection without anything in flight cannot be used any more: the server closed it, or sent
// what nobody asked for. Seeing it before writing makes a plain reconnect of what would be an unknown outcome.
func (c *conn) stale(now time.Time) bool {
	if c.br.Buffered() > 0 {
		return true
	}
	return now.Sub(c.wire.at) > idleCheck && readable(under(c.net))
}
