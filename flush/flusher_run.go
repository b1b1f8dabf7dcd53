package flush

import (
	"context"
	"fmt"
	"math"
	"time"
)

// pending is a frozen batch until it is resolved.
type pending struct {
	Batch
	generation uint64
	failed     bool // a try failed; for the log
	// quarantine has the reasons of the deltas that the database refuses, found by isolate.
	quarantine map[string]string
	fruitless  int // refusals for which isolate found no delta
}

// chunk is what one statement sends.
type chunk struct {
	batches   []*pending
	failures  int       // in a row
	timeouts  int       // in a row, of a batch alone
	notBefore time.Time // zero: at once
}

// wait is a caller of Flush.
type wait struct {
	until uint64 // the generation that it waits for
	again bool   // freeze once more then: partitions that were under way may have got more meanwhile
	done  chan struct{}
}

// run is the state of Run; only its goroutine touches it.
type run struct {
	*Flusher
	tries   context.Context // the statements' parent
	reports chan report     // has room for every statement under way
	busy    int             // statements under way
	wanted  bool            // a flush is due
	queue   []*chunk        // to send, in this order, each not before its time

	// Each freeze is a generation. open counts the unresolved batches of each, so that a wait knows when all that was
	// frozen up to its moment is resolved.
	generation uint64
	open       map[uint64]int
	partitions map[uint32]struct{} // that have an unresolved batch
	waiting    []*wait

	troubled int // unresolved batches of which a try failed
	since    time.Time
}

func newRun(f *Flusher, tries context.Context) *run {
	return &run{
		Flusher: f, tries: tries, reports: make(chan report, f.opt.Concurrency),
		open: map[uint64]int{}, partitions: map[uint32]struct{}{},
	}
}

// dispatch starts statements while there is room, and freezes new batches when a flush is due.
func (r *run) dispatch() {
	for r.busy < r.opt.Concurrency {
		c := r.nextDue()
		if c == nil && r.wanted {
			r.wanted = false
			r.freeze()
			c = r.nextDue()
		}
		if c == nil {
			return
		}
		r.busy++
		go func() { r.reports <- r.try(r.tries, c) }()
	}
}

// nextDue takes the first chunk whose time has come out of the queue; nil when there is none.
func (r *run) nextDue() *chunk {
	now := time.Now()
	for i, c := range r.queue {
		if !c.notBefore.After(now) {
			r.queue = append(r.queue[:i], r.queue[i+1:]...)
			return c
		}
	}
	return nil
}

// retryTimer fires when the next chunk is due, if there is room for it.
func (r *run) retryTimer() *time.Timer {
	next := time.Duration(math.MaxInt64)
	if r.busy < r.opt.Concurrency {
		for _, c := range r.queue {
			next = min(next, time.Until(c.notBefore))
		}
	}
	return time.NewTimer(next)
}

// freeze takes the source's batches and queues them in chunks of whole batches.
func (r *run) freeze() {
	batches := r.source.Freeze()
	if len(batches) == 0 {
		return
	}
	r.generation++
	r.open[r.generation] = len(batches)
	var c *chunk
	keys := 0
	for _, b := range batches {
		if _, ok := r.partitions[b.Partition]; ok {
			panic(fmt.Sprintf("partition %d was frozen while it had a batch under way", b.Partition))
		}
		r.partitions[b.Partition] = struct{}{}
		size := len(b.Deltas) + len(b.IDs)
		if c == nil || keys+size > r.opt.MaxKeys {
			c, keys = &chunk{}, 0
			r.queue = append(r.queue, c)
		}
		c.batches = append(c.batches, &pending{Batch: b, generation: r.generation})
		keys += size
	}
}

// take handles the end of a try.
func (r *run) take(rep report) {
	r.busy--
	for _, s := range rep.statements {
		r.opt.Hooks.Statement(s.took, s.keys, s.err)
	}
	for _, d := range rep.done {
		r.finish(d.batch, d.outcome)
		if d.earlier {
			r.opt.Hooks.Resolved(1)
		}
	}
	r.requeue(rep)
	r.wake()
}

// requeue puts the batches that are not resolved back: those that need not wait come first.
func (r *run) requeue(rep report) {
	batches := 0
	for _, c := range rep.again {
		batches += len(c.batches)
		for _, p := range c.batches {
			if rep.err != nil && !p.failed {
				p.failed = true
				r.trouble(+1, rep.err)
			}
		}
	}
	if batches == 0 {
		return
	}
	r.opt.Hooks.Retried(batches)
	if rep.unknown {
		r.opt.Hooks.Unknown(batches)
	}
	if rep.err == nil {
		r.queue = append(rep.again, r.queue...)
	} else {
		r.queue = append(r.queue, rep.again...)
	}
}

// finish hands a batch back to the source.
func (r *run) finish(p *pending, o Outcome) {
	if n := len(o.Quarantined); n > 0 {
		r.opt.Hooks.Quarantined(n)
		r.opt.Logger.Error("deltas set aside in the quarantine table: the database refuses them",
			"partition", p.Partition, "deltas", n, "reason", p.quarantine[o.Quarantined[0].Key])
	}
	if o.Verdict == Conflict {
		r.opt.Logger.Error("the store is not as this owner left it",
			"partition", p.Partition, "epoch", p.Epoch, "rows", len(o.Ledger), "ids", len(o.IDs))
	}
	if p.failed {
		r.trouble(-1, nil)
	}
	if r.open[p.generation]--; r.open[p.generation] == 0 {
		delete(r.open, p.generation)
	}
	delete(r.partitions, p.Partition)
	r.source.Done(p.Batch, o)
}

// trouble counts batches that fail, and logs when the first begins and the last one ends.
func (r *run) trouble(n int, err error) {
	if r.troubled == 0 {
		r.since = time.Now()
		r.opt.Logger.Warn("flush failed, trying again until it is resolved", "error", err)
	}
	r.troubled += n
	if r.troubled == 0 {
		r.opt.Logger.Info("flush works again", "after", time.Since(r.since))
	}
}

// admit begins a wait: with a freeze, whether there is room for it or not.
func (r *run) admit(w *wait) {
	w.again = len(r.open) > 0
	r.freeze()
	w.until = r.generation
	r.waiting = append(r.waiting, w)
	r.wake()
}

// wake ends the waits whose generations are all resolved.
func (r *run) wake() {
	oldest := uint64(math.MaxUint64)
	for generation := range r.open {
		oldest = min(oldest, generation)
	}
	left := r.waiting[:0]
	for _, w := range r.waiting {
		if w.until < oldest && w.again {
			w.again = false
			r.freeze()
			w.until = r.generation
			if len(r.open) > 0 {
				oldest = min(oldest, r.generation)
			}
		}
		if w.until < oldest {
			close(w.done)
		} else {
			left = append(left, w)
		}
	}
	clear(r.waiting[len(left):])
	r.waiting = left
}

// stop waits for the statements under way, the last ones with their contexts cancelled, and hands back what is open.
func (r *run) stop(abort context.CancelFunc) {
	r.waiting = nil // they learn it from stopped; and nothing is frozen any more
	limit := time.AfterFunc(r.opt.StopTimeout, abort)
	defer limit.Stop()
	for r.busy > 0 {
		r.take(<-r.reports)
	}
	for _, c := range r.queue {
		for _, p := range c.batches {
			r.finish(p, Outcome{Verdict: Unresolved})
		}
	}
	r.queue = nil
}
