package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// request is one increment on its way, or with Options.Batch several. A request that is sent again keeps its keys and start.
type request struct {
	key    int
	items  []item    // of a batch, instead of key, status and later; nil: it is none
	fresh  bool      // not sent before: the key is still to be drawn
	start  time.Time // intended start (open loop), or when it was first written; zero: not yet
	end    int       // where it ends in the batch's bytes
	done   time.Time // when its response arrived
	status int
	later  bool
}

// increments is how many a request holds.
func (r *request) increments() int {
	if r.items == nil {
		return 1
	}
	return len(r.items)
}

// at returns one of them.
func (r *request) at(i int) item {
	if r.items == nil {
		return item{key: r.key, status: r.status, later: r.later}
	}
	return r.items[i]
}

// worker is one connection's loop: fill a batch, be connected, write it, read the responses.
type worker struct {
	*load
	home     int // preferred target
	keys     func() int
	schedule *schedule
	tally    *tally

	conn    *conn  // nil: not connected
	version uint64 // of the readiness when the connection was last thought over
	flight  []request
	again   []request // certainly not executed: first in the next batch
	buf     []byte
	resp    response
}

func newWorker(l *load, number int) *worker {
	return &worker{
		load:  l,
		home:  number % len(l.hosts),
		keys:  newKeys(l.options, number),
		tally: newTally(len(l.hosts)),
		resp:  response{whole: l.options.Batch > 1},
	}
}

// run works until the schedule or ctx ends; what is in flight then is finished. It returns errNoTarget when no target could
// be reached for too long.
func (w *worker) run(ctx context.Context) error {
	defer w.hangUp()
	for ctx.Err() == nil {
		w.fill(ctx)
		if len(w.flight) == 0 {
			return nil
		}
		if err := w.connect(ctx); err != nil {
			w.keepUnsent(0)
			if errors.Is(err, errNoTarget) {
				return err
			}
			return nil
		}
		w.exchange()
	}
	return nil
}

// fill starts the next batch: first what must be sent again, then what is due.
func (w *worker) fill(ctx context.Context) {
	want := w.options.Pipeline
	n := min(want, len(w.again))
	w.flight = append(w.flight[:0], w.again[:n]...)
	w.again = append(w.again[:0], w.again[n:]...)
	if n < want {
		w.flight = w.schedule.next(ctx, w.flight, want-n, n == 0)
	}
	for i := range w.flight {
		if r := &w.flight[i]; r.fresh {
			w.draw(r)
		}
	}
}

// draw gives a request its keys.
func (w *worker) draw(r *request) {
	r.fresh = false
	if w.options.Batch <= 1 {
		r.key = w.keys()
		return
	}
	r.items = make([]item, w.options.Batch)
	for i := range r.items {
		r.items[i].key = w.keys()
	}
}

// connect makes sure that the worker has a connection to the right target. Nothing is in flight.
func (w *worker) connect(ctx context.Context) error {
	if w.conn != nil {
		if v := w.ready.version.Load(); v != w.version {
			w.version = v
			if w.ready.shouldMove(w.home, w.conn.target) {
				w.hangUp()
			}
		}
	}
	if w.conn != nil && w.conn.stale(time.Now()) {
		w.ready.doubt(w.conn.target, suspect, errClosedIdle)
		w.hangUp()
	}
	if w.conn != nil {
		return nil
	}
	return w.dial(ctx)
}

var errClosedIdle = errors.New("closed an idle connection")

// dialPause keeps a target that cannot be connected to from being tried in a busy loop.
const dialPause = 5 * time.Millisecond

// dial connects to the best target, waiting for one as long as ReadyTimeout. When ctx ends it returns its error.
func (w *worker) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.options.ReadyTimeout, errNoTarget)
	defer cancel()
	for {
		w.version = w.ready.version.Load()
		target, ok, changed := w.ready.pick(w.home)
		if !ok {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-changed:
			}
			continue
		}
		c, err := dial(ctx, w.places[target], target, w.options.Timeout)
		if err == nil {
			w.conn = c
			return nil
		}
		w.ready.leave(target)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		w.ready.doubt(target, down, err)
		w.tally.edit(func(c *counts) { c.dialRetries++ })
		sleep(ctx, dialPause)
	}
}

// errNoTarget ends a run.
var errNoTarget = errors.New("no target is ready")

// hangUp closes the connection.
func (w *worker) hangUp() {
	if w.conn == nil {
		return
	}
	_ = w.conn.net.Close()
	w.ready.leave(w.conn.target)
	w.conn = nil
}

// exchange writes the batch, reads the responses and enters their fates.
func (w *worker) exchange() {
	target := w.conn.target
	written, err := w.write()
	answered, closed, readErr := w.read()
	if closed || readErr != nil {
		w.hangUp()
	}
	w.tally.record(target, w.flight[:answered])
	w.ledger.record(w.flight[:answered])
	switch {
	case closed:
		w.ready.doubt(target, suspect, nil)
		w.tally.edit(func(c *counts) { c.resentAfterClose += int64(len(w.flight) - answered) })
		w.keepUnsent(answered)
	case readErr != nil:
		w.ready.doubt(target, suspect, readErr)
		w.settleBroken(target, answered, written, errors.Join(err, readErr))
	}
}

// write renders and writes the batch and returns how many bytes the kernel took.
func (w *worker) write() (int, error) {
	t := w.increments[w.conn.target]
	w.buf = w.buf[:0]
	for i := range w.flight {
		r := &w.flight[i]
		if r.items != nil {
			w.buf = w.batches[w.conn.target].append(w.buf, r.items)
		} else {
			w.buf = t.append(w.buf, r.key)
		}
		r.end = len(w.buf)
	}
	now := time.Now()
	for i := range w.flight {
		if r := &w.flight[i]; r.start.IsZero() {
			r.start = now
		}
	}
	if err := w.conn.extend(now); err != nil {
		return 0, err
	}
	return w.conn.net.Write(w.buf)
}

// read reads responses to the batch, also when writing failed half-way: the reason may be an answer that closes. It stops
// after such an answer (closed), at an error, and at the end of the batch, and returns how many it has read.
func (w *worker) read() (n int, closed bool, err error) {
	for n = range w.flight {
		r := &w.flight[n]
		if err := w.resp.read(w.conn.br); err != nil {
			return n, false, err
		}
		r.status, r.later, r.done = w.resp.status, w.resp.later, w.conn.wire.at
		if r.items != nil {
			if err := w.readItems(r); err != nil {
				return n, false, err
			}
		} else if r.status >= 300 {
			w.complaints.add("%s: status %d: %.200s", w.hosts[w.conn.target], r.status, w.resp.body)
		}
		if w.resp.close {
			return n + 1, true, nil
		}
	}
	return len(w.flight), false, nil
}

// settleBroken decides what became of the requests from the given one on, when the connection broke: a server cannot have
// executed what the kernel did not take to the last byte; the outcome of the others is unknown.
func (w *worker) settleBroken(target, from, written int, cause error) {
	sent := from
	for sent < len(w.flight) && w.flight[sent].end <= written {
		sent++
	}
	unwritten := int64(len(w.flight) - sent)
	doubtful := int64(0)
	for i := from; i < sent; i++ {
		doubtful += int64(w.flight[i].increments())
	}
	w.ledger.doubt(w.flight[from:sent])
	w.tally.edit(func(c *counts) {
		c.unknown += doubtful
		c.resentUnwritten += unwritten
	})
	if sent > from {
		w.complaints.add("%s: outcome unknown: %s", w.hosts[target], describe(cause))
	}
	w.keepUnsent(sent)
}

// keepUnsent keeps the batch's requests from the given one on for the next batch.
func (w *worker) keepUnsent(from int) {
	w.again = append(w.again, w.flight[from:]...)
}

// describe names an error without the ports of this end, so that the same fault gives the same text.
func describe(err error) string {
	type unwrapper interface{ Unwrap() error }
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return describe(joined.Unwrap()[0])
	}
	if inner, ok := err.(unwrapper); ok && inner.Unwrap() != nil {
		return describe(inner.Unwrap())
	}
	return fmt.Sprint(err)
}
