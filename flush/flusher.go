package flush

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// ErrStopped is returned by Flush when Run has ended.
var ErrStopped = errors.New("the flusher has stopped")

// FlusherOptions of a Flusher; zero fields get the defaults.
type FlusherOptions struct {
	Interval    time.Duration // between flushes that nobody asked for; default 1 s
	MaxKeys     int           // of one statement, IDs included; a batch with more goes alone; default 20,000
	Timeout     time.Duration // of one statement; default 10 s
	StopTimeout time.Duration // that statements under way get when Run is stopped; default 5 s
	KeepIDs     time.Duration // how long the store keeps the batches' IDs; default 24 h
	Concurrency int           // statements at a time; default 2
	MinBackoff  time.Duration // after a first failure; doubles, with jitter; default 50 ms
	MaxBackoff  time.Duration // default 1 s
	Logger      *slog.Logger  // default: discarded
	Hooks       Hooks
}

// Hooks tell what the flusher does, for metrics. Nil ones are skipped. All are called from Run's goroutine.
type Hooks struct {
	Statement   func(took time.Duration, keys int, err error) // each statement that was sent, with the store's answer
	Retried     func(batches int)                             // to be sent again: after an error, or since others did not match
	Unknown     func(batches int)                             // of these: sent, with an unknown outcome
	Resolved    func(batches int)                             // had been applied by an earlier try, says the ledger
	Quarantined func(deltas int)                              // set aside for good
}

func (h Hooks) withDefaults() Hooks {
	nothing := func(int) {}
	for _, hook := range []*func(int){&h.Retried, &h.Unknown, &h.Resolved, &h.Quarantined} {
		if *hook == nil {
			*hook = nothing
		}
	}
	if h.Statement == nil {
		h.Statement = func(time.Duration, int, error) {}
	}
	return h
}

func (o FlusherOptions) withDefaults() FlusherOptions {
	orDefault(&o.Interval, time.Second)
	orDefault(&o.MaxKeys, 20_000)
	orDefault(&o.Timeout, 10*time.Second)
	orDefault(&o.StopTimeout, 5*time.Second)
	orDefault(&o.KeepIDs, 24*time.Hour)
	orDefault(&o.Concurrency, 2)
	orDefault(&o.MinBackoff, 50*time.Millisecond)
	orDefault(&o.MaxBackoff, time.Second)
	o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
	o.Hooks = o.Hooks.withDefaults()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// Flusher moves a source's batches into a store. It sends a batch, unchanged, until the store has said how it
// ended: an unknown outcome is retried for ever, and the ledger tells a retry that the batch had been applied.
//
// A statement holds whole batches, up to MaxKeys. Where the store refuses some, the others go on without them: batches
// that do not match are left out, batches with data that the database refuses are found by halving, and the
// refused deltas among them by halving again, in statements that are rolled back.
type Flusher struct {
	store  Store
	node   uuid.UUID
	source Source
	opt    FlusherOptions

	kick    chan struct{}
	waits   chan *wait
	stopped chan struct{} // closed when Run has ended
}

// NewFlusher returns a flusher for the owner node. It does nothing until Run.
func NewFlusher(store Store, node uuid.UUID, source Source, opt FlusherOptions) *Flusher {
	return &Flusher{
		store: store, node: node, source: source, opt: opt.withDefaults(),
		kick: make(chan struct{}, 1), waits: make(chan *wait), stopped: make(chan struct{}),
	}
}

// Kick asks for a flush as soon as the ones under way leave room, and returns at once. Kicks that come
// meanwhile are one: callers that wait for the store share a statement.
func (f *Flusher) Kick() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Flush returns when everything that the source had when it was called has been resolved, whatever the outcome. It
// returns the context's error, or ErrStopped.
func (f *Flusher) Flush(ctx context.Context) error {
	w := &wait{done: make(chan struct{})}
	select {
	case f.waits <- w:
	case <-f.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-w.done:
		return nil
	case <-f.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run flushes until ctx ends, then waits up to StopTimeout for the statements under way, whose contexts ctx does not
// cancel. What is still open then is Done as Unresolved. It may be called once.
func (f *Flusher) Run(ctx context.Context) error {
	defer close(f.stopped)
	tries, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	r := newRun(f, tries)
	tick := time.NewTicker(f.opt.Interval)
	defer tick.Stop()
	for {
		r.dispatch()
		retry := r.retryTimer()
		select {
		case <-tick.C:
			r.wanted = true
		case <-f.kick:
			r.wanted = true
		case w := <-f.waits:
			r.admit(w)
		case rep := <-r.reports:
			r.take(rep)
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			r.stop(abort)
			return nil
		}
		retry.Stop()
	}
}
