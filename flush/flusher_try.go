package flush

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// report says what a try came to: every batch of its chunk is in done or in again.
type report struct {
	statements []statement
	done       []finished
	again      []*chunk
	err        error // why again; nil: they did no wrong, at once
	unknown    bool  // err leaves open whether again's batches are applied
}

// statement is one answer of the store.
type statement struct {
	took time.Duration
	keys int
	err  error
}

// finished is a resolved batch.
type finished struct {
	batch   *pending
	outcome Outcome
	earlier bool // applied by an earlier try
}

// try sends a chunk once, and finds out what to do with the batches that were not applied.
func (f *Flusher) try(ctx context.Context, c *chunk) (rep report) {
	limit := f.opt.Timeout
	if len(c.batches) == 1 {
		// It cannot be split any further, so it gets longer each time.
		limit <<= min(c.timeouts, 5)
	}
	req := &Request{Node: f.node, Batches: make([]Batch, len(c.batches)), KeepIDs: f.opt.KeepIDs}
	for i, p := range c.batches {
		req.Batches[i] = p.Batch
		if p.quarantine != nil { // such a batch travels alone
			req.Quarantine = p.quarantine
		}
	}
	res, err, timedOut := f.send(ctx, limit, req, &rep)
	var refused *DataError
	switch {
	case err == nil && res.Applied:
		rep.done = applied(c, &res)
	case err == nil:
		f.sortOut(c, &res, &rep)
	case errors.As(err, &refused) || errors.Is(err, ErrRequest):
		f.refuse(ctx, c, err, &rep)
	default:
		f.postpone(c, err, timedOut, &rep)
	}
	return rep
}

// send is one statement with its own deadline.
func (f *Flusher) send(ctx context.Context, limit time.Duration, req *Request, rep *report) (res Result, err error, timedOut bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	keys := 0
	for i := range req.Batches {
		keys += len(req.Batches[i].Deltas)
	}
	start := time.Now()
	res, err = f.store.Flush(ctx, req)
	rep.statements = append(rep.statements, statement{time.Since(start), keys, err})
	return res, err, errors.Is(ctx.Err(), context.DeadlineExceeded) || isCancelled(err)
}

// applied gives each batch its values.
func applied(c *chunk, res *Result) []finished {
	done := make([]finished, len(c.batches))
	values := res.Values
	for i, p := range c.batches {
		o := Outcome{Verdict: Committed}
		o.Quarantined = p.setAside()
		n := len(p.Deltas) - len(o.Quarantined)
		o.Values, values = values[:n:n], values[n:]
		done[i] = finished{batch: p, outcome: o}
	}
	return done
}

// setAside returns the batch's deltas that go to quarantine.
func (p *pending) setAside() (aside []Delta) {
	if p.quarantine == nil {
		return nil
	}
	for _, d := range p.Deltas {
		if _, ok := p.quarantine[d.Key]; ok {
			aside = append(aside, d)
		}
	}
	return aside
}

// sortOut resolves the batches that did not match and leaves the others for a statement without them.
func (f *Flusher) sortOut(c *chunk, res *Result, rep *report) {
	stands := index(res)
	var innocent []*pending
	for _, p := range c.batches {
		o, ok := stands.resolve(&p.Batch)
		if !ok {
			innocent = append(innocent, p)
			continue
		}
		earlier := o.Verdict == Committed
		if earlier {
			o.Quarantined = p.setAside()
		}
		rep.done = append(rep.done, finished{p, o, earlier})
	}
	switch {
	case len(innocent) == len(c.batches):
		// The store must say what does not match; never spin on one that does not.
		f.postpone(c, errors.New("the store refused a flush without a reason"), false, rep)
		rep.unknown = false
	case len(innocent) > 0:
		rep.again = []*chunk{{batches: innocent}}
	}
}

// refuse handles data that the database can never take: half a chunk at a time, down to one batch, and its deltas.
func (f *Flusher) refuse(ctx context.Context, c *chunk, refusal error, rep *report) {
	if len(c.batches) > 1 {
		middle := len(c.batches) / 2
		rep.again = []*chunk{{batches: c.batches[:middle]}, {batches: c.batches[middle:]}}
		return
	}
	p := c.batches[0]
	if errors.Is(refusal, ErrRequest) {
		f.postpone(c, refusal, false, rep)
		rep.unknown = false
		return
	}
	found, err := f.isolate(ctx, p, rep)
	if errors.Is(err, errMoved) {
		rep.again = []*chunk{{batches: c.batches}}
		return
	}
	if err != nil {
		f.postpone(c, err, false, rep)
		rep.unknown = false // only statements that are rolled back were sent
		return
	}
	if found = p.blame(found, refusal); found == nil {
		f.postpone(c, refusal, false, rep)
		rep.unknown = false
		return
	}
	p.quarantine = found
	rep.again = []*chunk{{batches: c.batches}}
}

// postpone has the chunk sent again after a while.
func (f *Flusher) postpone(c *chunk, err error, timedOut bool, rep *report) {
	var nothing *RetryError
	rep.err, rep.unknown = err, !errors.As(err, &nothing)
	c.failures++
	c.notBefore = time.Now().Add(f.backoff(c.failures))
	rep.again = []*chunk{c}
	if !timedOut {
		c.timeouts = 0
		return
	}
	if len(c.batches) == 1 {
		c.timeouts++
		return
	}
	// A statement that came to its deadline may be too large for the store as it is, or wait for one locked row: smaller ones
	// make progress.
	middle := len(c.batches) / 2
	rep.again = []*chunk{
		{batches: c.batches[:middle], failures: c.failures, notBefore: c.notBefore},
		{batches: c.batches[middle:], failures: c.failures, notBefore: c.notBefore},
	}
}

// backoff doubles from MinBackoff to MaxBackoff, of which a random half is taken off: nodes that lost the
// same server must not come back in step.
func (f *Flusher) backoff(failures int) time.Duration {
	d := f.opt.MaxBackoff
	if n := failures - 1; n < 30 {
		d = min(d, f.opt.MinBackoff<<n)
	}
	return d - rand.N(d/2+1)
}
