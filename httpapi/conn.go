package httpapi

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// phase is what a connection is doing, which says which timeout holds for it.
type phase int64

// Phases, in the order in which a request passes them. After phaseWriting comes phaseIdle.
const (
	phaseNew      phase = iota // accepted, no byte yet: IdleTimeout
	phaseIdle                  // answered, no byte of a next request yet: IdleTimeout
	phaseReading               // from the first byte of a request to its last: ReadTimeout
	phaseHandling              // in the handler: the Service bounds its own waits
	phaseWriting               // the answer is being written: WriteTimeout
	phaseClosing               // being closed: has its own deadline
)

// phaseBits is how many low bits of conn.state hold the phase; the milliseconds of its start stand above them.
const phaseBits = 3

// conn is a client's connection. It notes what it is doing in one atomic word instead of setting a deadline: three
// deadlines for each request, as fasthttp would set them, cost about 0.4 µs, a twentieth of a request. The server's sweep
// reads the word of every connection now and then, and sets a deadline in the past on one that took too long.
type conn struct {
	net.Conn
	clock *clock
	state atomic.Int64
	// doomed is set before a deadline in the past is: an answer that is still under way then tells the client that it is
	// the last one.
	doomed  atomic.Bool
	release func() // gives back what a large body held: lingering needs none of it; called by the goroutine that serves the connection
	linger  bool   // read before closing; only touched by the goroutine that serves the connection
	heard   bool   // a byte has been read; likewise
	// large is what bodyLimit decided about a large body, which holds until its answer is written; likewise. 0: there is none.
	large int64
}

func newConn(nc net.Conn, k *clock) *conn {
	c := &conn{Conn: nc, clock: k}
	c.enter(phaseNew)
	return c
}

// enter notes the phase and that it starts now.
func (c *conn) enter(p phase) { c.state.Store(c.clock.now()<<phaseBits | int64(p)) }

// phase returns what the connection is doing and since when, in milliseconds of the clock.
func (c *conn) phase() (phase, int64) {
	state := c.state.Load()
	return phase(state & (1<<phaseBits - 1)), state >> phaseBits
}

// Read implements net.Conn. A connection that never said a word and was doomed is reported as closed, since the answer
// 408 would be one that nobody asked for.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard = true
	} else if !c.heard && errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn. It restores the phase as it was, with its start: "100 Continue" is written while a request
// is being read, and must not give it more time.
func (c *conn) Write(p []byte) (int, error) {
	before := c.state.Load()
	c.enter(phaseWriting)
	n, err := c.Conn.Write(p)
	c.state.Store(before)
	return n, err
}

// Close implements net.Conn. After the last answer of a connection that the server ends, it reads what the client still
// sends: the system would otherwise answer those bytes with a reset, and a reset can destroy the answer on its way.
func (c *conn) Close() error {
	c.enter(phaseClosing)
	if c.release != nil {
		c.release()
	}
	if c.linger {
		drainAndClose(c.Conn, lingering)
		return nil
	}
	return c.Conn.Close()
}

// doom makes what the connection waits for fail: reading, writing, or both when it does neither.
func (c *conn) doom(p phase) {
	c.doomed.Store(true)
	past := time.Unix(1, 0)
	if p == phaseWriting {
		_ = c.Conn.SetWriteDeadline(past)
		return
	}
	_ = c.Conn.SetReadDeadline(past)
}

// farewell bounds the reading after the last answer. Clients often send all of a request before they look for an answer, so what
// is read decides whether they get to see it.
type farewell struct {
	pause time.Duration // without a byte
	total time.Duration
	bytes int64
}

// Read only.
var (
	// lingering is for those who were served: a large body that was refused may still be under way.
	lingering = farewell{pause: time.Second, total: 5 * time.Second, bytes: 256 << 20}
	// dismissal is for those who were one too many.
	dismissal = farewell{pause: time.Second, total: time.Second, bytes: 256 << 10}
)

// drainAndClose says that nothing more will be sent, reads for a while what the peer was still sending, and closes.
func drainAndClose(nc net.Conn, f farewell) {
	if half, ok := nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		f.read(nc)
	}
	_ = nc.Close()
}

// read reads until the peer has finished, or a bound is reached.
func (f farewell) read(nc net.Conn) {
	const step = 1 << 20
	end := time.Now().Add(f.total)
	for left := f.bytes; left > 0; {
		now := time.Now()
		if !now.Before(end) {
			return
		}
		wait := now.Add(f.pause)
		if wait.After(end) {
			wait = end
		}
		_ = nc.SetReadDeadline(wait)
		n, err := io.CopyN(io.Discard, nc, min(left, step))
		left -= n
		if err != nil && (n == 0 || !isTimeout(err)) { // a slow one that sends is not an idle one
			return
		}
	}
}

// clock counts milliseconds since the server was made. It only moves when it is told to, so that a phase costs no
// look at the real clock; what reads it knows that it may be one tick behind.
type clock struct {
	start time.Time
	ms    atomic.Int64
}

func (k *clock) now() int64 { return k.ms.Load() }

// tick moves the clock to the real time and returns it.
func (k *clock) tick() int64 {
	ms := time.Since(k.start).Milliseconds()
	k.ms.Store(ms)
	return ms
}
