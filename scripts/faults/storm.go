package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// gust is a fault that lasts for a while.
type gust struct {
	what  string
	begin func()
	end   func() error
}

// storm lets two faults at a time blow, drawn by the seed, and now and then restarts a node. Between two rounds the cluster
// comes to rest. The first node is never kept away, so that witnesses may add through it.
func storm(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members[:1], func(o *bench.Options) { o.Timeout = 2*t.beyondLease() + settleLimit })
	if err != nil {
		return err
	}
	rounds := 0
	for ; rounds < 2 || time.Since(l.began) < t.opt.duration; rounds++ {
		rig.Pause(ctx, t.upTo(flushInterval))
		if rounds%3 == 2 {
			err = t.restart(t.pick())
		} else {
			err = t.blow(ctx)
		}
		calm := time.Now()
		if err = errors.Join(err, t.awaitBalance(ctx)); err != nil {
			return err
		}
		t.recovery(time.Since(calm))
	}
	t.rep.note("%d rounds", rounds)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.paused(res, a, int64(rounds))
	return nil
}

// blow begins two faults, one after the other, and ends them in the same order.
func (t *trial) blow(ctx context.Context) error {
	gusts := t.gusts()
	t.rng.Shuffle(len(gusts), func(i, j int) { gusts[i], gusts[j] = gusts[j], gusts[i] })
	var errs []error
	first, second := gusts[0], gusts[1]
	t.rep.note("%s, and %s", first.what, second.what)
	first.begin()
	rig.Pause(ctx, t.upTo(t.opt.lease/2))
	second.begin()
	rig.Pause(ctx, t.upTo(t.beyondLease()))
	errs = append(errs, first.end())
	rig.Pause(ctx, t.upTo(t.opt.lease/2))
	return errors.Join(append(errs, second.end())...)
}

// gusts are the faults of one round, on nodes that the seed draws.
func (t *trial) gusts() []gust {
	away := func() *member { return t.members[1+t.rng.IntN(len(t.members)-1)] }
	paused, stalled, cut := away(), away(), t.pick()
	return []gust{
		{
			what:  "SIGSTOP " + paused.Name,
			begin: func() { paused.process.Signal(syscall.SIGSTOP) },
			end:   func() error { paused.process.Signal(syscall.SIGCONT); return nil },
		},
		{
			what:  "silence between Postgres and " + stalled.Name,
			begin: func() { stalled.proxy.Stall(true) },
			end:   func() error { stalled.proxy.Stall(false); return nil },
		},
		{
			what:  "a commit's reply to " + cut.Name + " dropped, then all connections to Postgres cut",
			begin: func() { cut.proxy.DropReply(loadPrefix) },
			end: func() error {
				for _, m := range t.members {
					m.proxy.Cut()
				}
				return nil
			},
		},
		{
			what:  "kill -9 of Postgres",
			begin: t.pg.Kill9,
			end:   t.pg.Restart,
		},
	}
}

// restart stops a node in order and starts it again.
func (t *trial) restart(m *member) error {
	t.rep.note("SIGTERM to %s", m.Name)
	m.process.Signal(syscall.SIGTERM)
	t.expectExit(m)
	return t.launch(m)
}
