package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// loadPrefix begins the keys of the load.
const loadPrefix = "load:"

// verifyLimit is how long totals may take to agree. It is waited for in full when a node is gone for good.
const verifyLimit = 12 * time.Second

// load is the bench package at work.
type load struct {
	stop   context.CancelFunc
	done   chan struct{}
	began  time.Time
	result *bench.Result // after done
	err    error
	heard  *watchers // nil: none
}

// startLoad puts load on the members, ready or not yet, until end. change adjusts the options. It returns when the first
// answers are there.
func (t *trial) startLoad(ctx context.Context, on []*member, change func(*bench.Options)) (*load, error) {
	o := bench.DefaultOptions()
	o.Targets = nil
	for _, m := range on {
		o.Targets = append(o.Targets, m.HTTP)
	}
	o.Connections, o.Keys, o.KeyPrefix, o.Seed = t.opt.connections, t.opt.keys, loadPrefix, t.opt.seed
	o.Duration = 24 * time.Hour // the scenario ends it
	o.ReadyTimeout = settleLimit + 2*t.opt.lease
	o.Verify, o.VerifyTimeout, o.Store = true, verifyLimit, loadValues{t}
	o.MaxDrifts = o.Keys * (len(on) + 1)
	if change != nil {
		change(&o)
	}
	before, err := t.accepted(ctx)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &load{stop: stop, done: make(chan struct{}), began: time.Now()}
	go func() {
		defer close(l.done)
		l.result, l.err = bench.Run(ctx, o)
	}()
	err = rig.Await(ctx, settleLimit, "the load's first answers", func() error {
		now, err := t.accepted(ctx)
		switch {
		case err != nil:
			return err
		case now == before:
			return fmt.Errorf("nothing is accepted")
		}
		return nil
	})
	if err != nil {
		l.stop()
		<-l.done
		return nil, errors.Join(err, l.err)
	}
	return l, nil
}

// startWitnessed is startLoad with witnesses beside it, who add through the adders.
func (t *trial) startWitnessed(ctx context.Context, on, adders []*member, change func(*bench.Options)) (*load, error) {
	l, err := t.startLoad(ctx, on, change)
	if err == nil {
		l.heard = t.testify(ctx, adders, on)
	}
	return l, err
}

// accepted is how many increments the live nodes have taken.
func (t *trial) accepted(ctx context.Context) (sum float64, err error) {
	for _, m := range t.live() {
		metrics, err := t.metrics(ctx, m)
		if err != nil {
			return 0, err
		}
		sum += metrics[acceptedMetric]
	}
	return sum, nil
}

const acceptedMetric = `pinocchio_increments_total{result="accepted"}`

// keepUp lets the load go on until it has lasted for the campaign's duration.
func (t *trial) keepUp(ctx context.Context, l *load) {
	rig.Pause(ctx, t.opt.duration-time.Since(l.began))
}

// end stops the load and returns what came of it, verified.
func (l *load) end() (*bench.Result, error) {
	l.stop()
	<-l.done
	if l.result == nil {
		return nil, fmt.Errorf("the load: %w", l.err)
	}
	return l.result, nil
}

// account is what totals lack, or have too much, beyond what the answers allow.
type account struct {
	missing    map[string]int64 // by key
	doubled    map[string]int64 // by key
	unreadable int              // totals, over keys and places
	disagree   int              // totals within bounds that are not the same everywhere
}

func accountOf(v *bench.Verification) account {
	a := account{missing: map[string]int64{}, doubled: map[string]int64{}}
	for _, d := range v.Drifts {
		switch {
		case !d.Read:
			a.unreadable++
		case d.Total < d.Low:
			a.missing[d.Key] = max(a.missing[d.Key], d.Low-d.Total)
		case d.Total > d.High:
			a.doubled[d.Key] = max(a.doubled[d.Key], d.Total-d.High)
		default:
			a.disagree++
		}
	}
	return a
}

func total(of map[string]int64) (sum int64) {
	for _, n := range of {
		sum += n
	}
	return sum
}

// settle ends the load and enters its figures in the report. It promises what every scenario does: nothing doubled, and the same
// totals through every node that listens and in the table.
func (t *trial) settle(ctx context.Context, l *load) (*bench.Result, account, error) {
	t.rep.note("load ends; reading all totals")
	if l.heard != nil {
		t.heard(ctx, l.heard)
	}
	res, err := l.end()
	if err != nil {
		return nil, account{}, err
	}
	a, v := accountOf(res.Verify), res.Verify
	row := &t.rep.row
	row.requests += res.Answered + res.Failed
	row.failed += res.Failed
	row.later += res.Later
	row.unknown += res.Unknown
	row.missing += total(a.missing)
	row.doubled += total(a.doubled)
	t.rep.note("load: %d answered in %.1f s (%.0f/s, p99 %.1f ms, max %.0f ms), of these later %d; failed %d (refused %d, rejected %d, unknown %d)",
		res.Answered, res.ElapsedSeconds, res.AnsweredPerSecond, res.LatencyP99US/1000, res.LatencyMaxUS/1000, res.Later,
		res.Failed, res.Refused, res.Rejected, res.Unknown)
	t.rep.note("      moved: %d sent again after a close, %d after an unfinished write, %d connects retried", res.ResentAfterClose, res.ResentUnwritten, res.DialRetries)
	for _, text := range res.Errors {
		t.rep.note("      %s", text)
	}
	checked := 0
	for _, target := range v.Targets {
		if target.Checked {
			checked++
		} else {
			t.rep.note("      %s is not read: nobody listens there", target.Target)
		}
	}
	t.rep.promise(checked == len(t.live()) && v.Store != nil && v.Store.Error == "", "totals of %d keys read through %d nodes and by SQL", v.Keys, checked)
	t.rep.promise(len(a.doubled) == 0, "nothing is doubled (%d, in %d keys)", total(a.doubled), len(a.doubled))
	t.rep.promise(a.unreadable+a.disagree == 0, "nodes and table agree (%d totals differ, %d cannot be read)", a.disagree, a.unreadable)
	return res, a, nil
}

// exact promises that no answered increment is missing either.
func (t *trial) exact(res *bench.Result, a account) {
	v := res.Verify
	t.rep.promise(len(a.missing) == 0, "nothing is missing (%d, in %d keys)", total(a.missing), len(a.missing))
	if v.ExpectedLow == v.ExpectedHigh {
		t.rep.promise(v.Store.Sum == v.ExpectedLow, "the table's sum is %d, answered were exactly %d", v.Store.Sum, v.ExpectedLow)
	} else {
		t.rep.promise(v.Store.Sum >= v.ExpectedLow && v.Store.Sum <= v.ExpectedHigh,
			"the table's sum is %d, answered were %d, and %d more have an outcome that the client cannot know",
			v.Store.Sum, v.ExpectedLow, v.ExpectedHigh-v.ExpectedLow)
	}
}

// flawless promises exact sums and not one failed request.
func (t *trial) flawless(res *bench.Result, a account) {
	t.exact(res, a)
	t.rep.promise(res.Failed == 0, "not one failed request (%d)", res.Failed)
}

// paused is flawless but for what was under way at a node when it was stopped, so many times at most.
func (t *trial) paused(res *bench.Result, a account, times int64) {
	t.exact(res, a)
	t.rep.promise(res.Failed == res.Unknown && res.Unknown <= times*int64(t.opt.connections),
		"no request is refused, and none is in doubt but those under way at a pause (%d of %d failed)", res.Unknown, res.Failed)
}
