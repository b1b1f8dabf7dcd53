package main

import (
	"context"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// beyondLease is how long a node is paused: the others have taken its partitions well before the end.
func (t *trial) beyondLease() time.Duration { return t.opt.lease + t.opt.lease/2 }

// absence is a way to keep a node from renewing its lease for longer than that lasts.
type absence struct {
	what       string
	begin, end func(*member)
	// trusted is how long the node goes on counting as if nothing had happened; probes begin after that.
	trusted time.Duration
	// holds: a request that waits for the log when its node is stopped is answered 504 when that goes on, for its time is over: it is held.
	holds bool
}

// pauseNode stops a node's clock for longer than its lease. When it goes on it believes for a moment that nothing has
// happened. Clients of the paused node are patient: each of their requests is answered in the end.
func pauseNode(ctx context.Context, t *trial) error {
	return t.absent(ctx, absence{
		what:  "SIGSTOP",
		begin: func(m *member) { m.process.Signal(syscall.SIGSTOP) },
		end:   func(m *member) { m.process.Signal(syscall.SIGCONT) },
		holds: true,
	})
}

// stallPostgres lets a network swallow what a node and Postgres say to each other, while clients and other nodes reach the node.
func stallPostgres(ctx context.Context, t *trial) error {
	return t.absent(ctx, absence{
		what:    "silence between Postgres and",
		begin:   func(m *member) { m.proxy.Stall(true) },
		end:     func(m *member) { m.proxy.Stall(false) },
		trusted: t.opt.lease * 7 / 10, // a node trusts its lease for 0.6 of it
	})
}

// absent keeps a node away and lets it come back.
func (t *trial) absent(ctx context.Context, away absence) error {
	victim := t.pick()
	l, err := t.startWitnessed(ctx, t.members, t.others(victim), func(o *bench.Options) { o.Timeout = t.beyondLease() + settleLimit })
	if err != nil {
		return err
	}
	t.third(ctx, l)
	owned, err := t.ownedBy(victim)
	if err != nil {
		return err
	}
	began := time.Now()
	away.begin(victim)
	t.rep.note("%s %s, which owns %d partitions", away.what, victim.Name, len(owned))
	rig.Pause(ctx, away.trusted)
	all := probes(owned, t.others(victim), 0)
	counting, totals, err := t.recovered(ctx, began, 2*t.opt.lease+settleLimit, all)
	if err != nil {
		return err
	}
	t.inTime(counting, totals)
	rig.Pause(ctx, t.beyondLease()-time.Since(began))
	left, err := t.ownedBy(victim)
	if err != nil {
		return err
	}
	t.rep.promise(len(left) == 0, "Postgres says that %s owns nothing any more (%d)", victim.Name, len(left))
	away.end(victim)
	over := time.Now()
	t.rep.note("end of %s %s, after %.2f s", away.what, victim.Name, over.Sub(began).Seconds())
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.rep.note("%s has its share again, %.2f s later", victim.Name, time.Since(over).Seconds())
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	if away.holds {
		t.paused(res, a, 1)
	} else {
		t.flawless(res, a)
	}
	t.settleProbes(ctx, all)
	return nil
}
