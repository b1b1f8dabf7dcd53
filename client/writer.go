package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// WriterOptions of a Writer. The zero value is usable.
type WriterOptions struct {
	// MaxBatch is the most increments in a request, at most MaxPending. Default 500.
	MaxBatch int
	// MaxDelay is how long an increment waits for others to share a request with. Default 20 ms.
	MaxDelay time.Duration
	// MaxPending is how many increments may wait for an answer; Add waits for room. Default 10000.
	MaxPending int
	// NoIDs sends increments without idempotency keys: cheaper for the cluster, but an increment whose answer was lost is
	// reported as ErrUnknownOutcome at once, instead of being sent again.
	NoIDs bool
	// OnError hears of each increment that failed, one at a time, and must not call the Writer. nil: Flush tells.
	OnError func(Increment, error)
}

func (o WriterOptions) withDefaults() WriterOptions {
	if o.MaxBatch <= 0 {
		o.MaxBatch = 500
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 20 * time.Millisecond
	}
	if o.MaxPending <= 0 {
		o.MaxPending = 10_000
	}
	o.MaxBatch = min(o.MaxBatch, o.MaxPending) // more cannot come together
	return o
}

// WriteError says how many increments failed since the last Flush.
type WriteError struct {
	Failed  int64 // all that failed
	Unknown int64 // those among them that may be counted nevertheless: their answer was lost, or a 504
	First   error // why the first one failed
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("%d increments failed, %d of them with unknown outcome; the first: %v", e.Failed, e.Unknown, e.First)
}

// Unwrap returns First.
func (e *WriteError) Unwrap() error { return e.First }

// Writer sends increments in batches, in the order of Add, one request at a time. It is safe for concurrent use, and owns one
// goroutine, which Close ends.
type Writer struct {
	client *Client
	opt    WriterOptions
	room   chan struct{} // one element for each increment without an answer
	ring   chan struct{} // wakes the sender
	ended  chan struct{} // closed when the sender has ended
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	queue    []Increment
	added    uint64        // ever
	answered uint64        // ever
	urgent   uint64        // what a Flush or Close waits for: up to here nothing waits for company
	moved    chan struct{} // closed, and replaced, when answered moves
	failures *WriteError
	closed   bool
}

// NewWriter returns a writer, which must be closed.
func (c *Client) NewWriter(opt WriterOptions) *Writer {
	opt = opt.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	w := &Writer{
		client: c, opt: opt, room: make(chan struct{}, opt.MaxPending), ring: make(chan struct{}, 1),
		ended: make(chan struct{}), ctx: ctx, cancel: cancel, moved: make(chan struct{}),
	}
	go w.run()
	return w
}

// Add takes an increment, to be sent soon. It waits while MaxPending others have no answer. Errors: ErrClosed, or why ctx ended;
// the increment was then not taken.
func (w *Writer) Add(ctx context.Context, key string, delta int64) error {
	in := Increment{Key: key, Value: delta}
	if !w.opt.NoIDs {
		in.ID = rand.Text()
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.ended:
		return ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		<-w.room
		return ErrClosed
	}
	w.queue = append(w.queue, in)
	w.added++
	if n := len(w.queue); n == 1 || n == w.opt.MaxBatch {
		w.wake()
	}
	return nil
}

// Flush sends what was added before it and waits for the answers. Errors: *WriteError when increments failed since the last Flush,
// or why ctx ended.
func (w *Writer) Flush(ctx context.Context) error {
	w.mu.Lock()
	target := w.added
	w.urgent = max(w.urgent, target)
	w.wake()
	for w.answered < target {
		moved := w.moved
		w.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	failures := w.failures
	w.failures = nil
	if failures == nil {
		return nil // not failures: a nil pointer in an interface is not nil
	}
	return failures
}

// Close takes no more increments and flushes. When ctx ends first, requests under way are given up: their increments count as
// failed, with unknown outcome where they were sent. It may be called again.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	err := w.Flush(ctx)
	if ctx.Err() != nil {
		w.cancel()
	}
	w.wake()
	<-w.ended
	w.cancel()
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(err, w.Flush(context.Background())) // everything has its outcome by now
}

// wake tells the sender to look again.
func (w *Writer) wake() {
	select {
	case w.ring <- struct{}{}:
	default:
	}
}

// run sends until the writer is closed and empty.
func (w *Writer) run() {
	defer close(w.ended)
	delay := time.NewTimer(w.opt.MaxDelay)
	defer delay.Stop()
	for {
		batch, queued, closed := w.take(false)
		switch {
		case len(batch) > 0:
		case closed:
			return
		case queued: // they wait for company, but not longer than this
			delay.Reset(w.opt.MaxDelay)
			select {
			case <-w.ring:
				batch, _, _ = w.take(false)
			case <-delay.C:
				batch, _, _ = w.take(true)
			}
		default:
			<-w.ring
		}
		if len(batch) > 0 {
			w.settle(batch, w.client.IncrementMany(w.ctx, batch))
		}
	}
}

// take removes the next batch from the queue: when it is full, when somebody waits for it, or when it is due.
func (w *Writer) take(due bool) (batch []Increment, queued, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), w.opt.MaxBatch)
	if n == 0 || n < w.opt.MaxBatch && !due && !w.closed && w.urgent <= w.answered {
		return nil, n > 0, w.closed
	}
	batch = w.queue[:n:n]
	w.queue = w.queue[n:]
	return batch, true, w.closed
}

// settle notes what became of a batch and makes room.
func (w *Writer) settle(batch []Increment, outcomes []Outcome) {
	var failed WriteError
	for i, o := range outcomes {
		if o.Err == nil {
			continue
		}
		failed.note(o.Err)
		if w.opt.OnError != nil {
			w.opt.OnError(batch[i], o.Err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if failed.Failed > 0 {
		if w.failures == nil {
			w.failures = &WriteError{First: failed.First}
		}
		w.failures.Failed += failed.Failed
		w.failures.Unknown += failed.Unknown
	}
	w.answered += uint64(len(batch))
	close(w.moved)
	w.moved = make(chan struct{})
	for range batch {
		<-w.room
	}
}

func (e *WriteError) note(err error) {
	if e.Failed++; e.First == nil {
		e.First = err
	}
	if mayCount(err) {
		e.Unknown++
	}
}
