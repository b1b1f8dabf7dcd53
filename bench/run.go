package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// load is what the workers of one run share.
type load struct {
	options    Options
	hosts      []string
	places     []place
	increments []*template // by target
	batches    []*batchTemplate
	ready      *readiness
	budget     *budget
	ledger     *ledger // nil: not verifying
	complaints complaints
	workers    []*worker
}

// Run puts the load on the targets and returns what it saw. Ending ctx cuts the load short: what is in flight is finished,
// and the result says so and is verified all the same, for at most Timeout and the VerifyTimeouts. An error means that
// there is nothing to report: bad options, or no target became ready, or totals could not be read before the start.
// A load that had to be given up because no target was ready any more is reported, together with an error.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	l := newLoad(o)
	probing, stop := context.WithCancel(context.WithoutCancel(ctx)) // workers finish in order after ctx ended
	probed := make(chan struct{})
	var prober sync.WaitGroup
	prober.Go(func() { l.ready.run(probing, o.ProbeInterval, func() { close(probed) }) })
	defer prober.Wait()
	defer stop()
	<-probed

	var before []int64
	if o.Verify {
		var err error
		if before, err = l.readBefore(ctx); err != nil {
			return nil, fmt.Errorf("totals before the run: %w", l.explain(err))
		}
	}
	if err := l.connectAll(ctx); err != nil {
		l.hangUpAll()
		return nil, l.explain(err)
	}
	result, err := l.run(ctx)
	if o.Verify {
		result.Verify = l.verify(context.WithoutCancel(ctx), before)
	}
	return result, l.explain(err)
}

func newLoad(o Options) *load {
	l := &load{options: o, hosts: o.hosts(), places: o.places(), budget: newBudget(o.Requests)}
	for _, host := range l.hosts {
		l.increments = append(l.increments, newIncrement(o, host))
		l.batches = append(l.batches, newBatchTemplate(o, host))
	}
	l.ready = newReadiness(l.places)
	if o.Verify {
		l.ledger = newLedger(o.Keys)
	}
	for i := range o.Connections {
		l.workers = append(l.workers, newWorker(l, i))
	}
	return l
}

// explain adds to errNoTarget what the targets say.
func (l *load) explain(err error) error {
	if !errors.Is(err, errNoTarget) {
		return err
	}
	if reason := l.ready.reason(); reason != nil {
		err = fmt.Errorf("%w (%w)", err, reason)
	}
	return fmt.Errorf("%w: start the nodes, or name others as targets", err)
}

// connectAll connects each worker, so that connecting is no part of anybody's latency.
func (l *load) connectAll(ctx context.Context) error {
	return l.each(ctx, func(ctx context.Context, w *worker) error { return w.dial(ctx) })
}

func (l *load) hangUpAll() {
	for _, w := range l.workers {
		w.hangUp()
	}
}

// each runs f for all workers at once and waits. The first error ends the context of the others, and is returned.
func (l *load) each(ctx context.Context, f func(context.Context, *worker) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, len(l.workers))
	var all sync.WaitGroup
	for i, w := range l.workers {
		all.Go(func() {
			if errs[i] = f(ctx, w); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && context.Cause(ctx) == err {
			return err
		}
	}
	return errors.Join(errs...)
}

// run puts the load on and collects. Its error is errNoTarget or nil.
func (l *load) run(ctx context.Context) (*Result, error) {
	begin := time.Now()
	for i, w := range l.workers {
		w.schedule = newSchedule(l.options, l.budget, i, begin)
	}
	loading, cancel := ctx, context.CancelFunc(func() {})
	if l.options.Duration > 0 {
		loading, cancel = context.WithDeadline(ctx, begin.Add(l.options.Duration))
	}
	defer cancel()
	cut := make(chan time.Time, 1)
	defer context.AfterFunc(ctx, func() { cut <- time.Now() })()

	c := newCollector(l, begin)
	watching, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	if l.options.Progress != nil {
		watcher.Go(func() { c.watch(watching, l.options.Progress, l.options.ProgressInterval) })
	}
	err := l.each(loading, func(ctx context.Context, w *worker) error { return w.run(ctx) })
	end := time.Now()
	stop()
	watcher.Wait()
	c.collect()
	r := l.result(c, begin, end)
	stopped := end
	switch {
	case ctx.Err() != nil:
		r.Interrupted, stopped = true, <-cut
	case loading.Err() != nil:
		stopped = begin.Add(l.options.Duration)
	}
	r.Unsent = l.unsent(stopped)
	return r, err
}

// unsent is how many requests were asked for until the load stopped and never sent, or taken back without having been
// executed. In a closed loop without a limit nothing is asked for that is not sent.
func (l *load) unsent(stop time.Time) int64 {
	var n int64
	if l.options.Rate <= 0 {
		n = l.budget.rest()
	}
	for _, w := range l.workers {
		n += int64(len(w.again)) + w.schedule.untaken(stop)
	}
	return n
}
