package main

import (
	"context"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// recoverWithin is what the others may take, beyond the lease, to count a dead node's partitions again.
const recoverWithin = time.Second

const (
	flushInterval = time.Second            // of the nodes: their default
	lateFlush     = 200 * time.Millisecond // for a flush to end whose node is dead
)

// Durabilities of a load.
const (
	onDisk     = "" // the nodes' default: nothing answered is lost as long as disks are not
	inMemory   = "memory"
	inDatabase = "database"
)

func killNode(ctx context.Context, t *trial) error         { return kill(ctx, t, onDisk) }
func killNodeMemory(ctx context.Context, t *trial) error   { return kill(ctx, t, inMemory) }
func killNodeDatabase(ctx context.Context, t *trial) error { return kill(ctx, t, inDatabase) }

// kill ends a node at once under load of a durability. On disk it comes back, with its log, since what only its log holds is not in
// totals before that.
func kill(ctx context.Context, t *trial, durability string) error {
	victim := t.pick()
	samples := t.watch(ctx, victim)
	defer samples.end()
	l, err := t.startWitnessed(ctx, t.members, t.others(victim), func(o *bench.Options) { o.Durability = durability })
	if err != nil {
		return err
	}
	t.third(ctx, l)
	rig.Pause(ctx, time.Duration(t.rng.Int64N(int64(flushInterval)))) // anywhere between two flushes
	owned, err := t.ownedBy(victim)
	if err != nil {
		return err
	}
	ready := probes(owned, t.others(victim), 0)
	died := time.Now()
	victim.process.Kill()
	t.rep.note("kill -9 of %s, which owned %d partitions", victim.Name, len(owned))
	// Postgres may be finishing a flush of the dead node; nobody else flushes these partitions before its lease has run out.
	rig.Pause(ctx, lateFlush)
	flushed, err := t.lastFlush(owned)
	if err != nil {
		return err
	}

	counting, totals, err := t.recovered(ctx, died, t.opt.lease+settleLimit, ready)
	if err != nil {
		return err
	}
	t.inTime(counting, totals)
	if durability == onDisk {
		if err := t.revive(ctx, victim); err != nil {
			return err
		}
	}
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.settleProbes(ctx, ready)
	if durability != inMemory {
		t.exact(res, a)
	}
	if durability == inDatabase {
		return nil // until the lease has run out, its keys have nobody who brings them to Postgres: more fails
	}
	t.rep.promise(res.Failed <= int64(t.opt.connections), "failed are at most what was under way at the dead node: %d, on %d connections", res.Failed, t.opt.connections)
	if durability == onDisk {
		return nil
	}
	samples.end()
	if flushed.IsZero() {
		flushed = l.began // nothing yet
	}
	t.rep.note("%s died %.2f s after its last flush began", victim.Name, died.Sub(flushed).Seconds())
	t.loss(a, owned, samples.mostLost(res, flushed))
	return nil
}

// revive starts a killed node with the data that it had.
func (t *trial) revive(ctx context.Context, m *member) error {
	began := time.Now()
	if err := t.launch(m); err != nil {
		return err
	}
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.rep.note("%s is back with its log and its share, %.2f s after its start", m.Name, time.Since(began).Seconds())
	return nil
}

// inTime promises that the others counted a lost node's partitions again within the lease and a second.
func (t *trial) inTime(counting, totals time.Duration) {
	t.recovery(counting)
	t.rep.promise(counting <= t.opt.lease+recoverWithin, "the others count all of its partitions again %.2f s after it was lost (lease %v + %v); every total is told after %.2f s",
		counting.Seconds(), t.opt.lease, recoverWithin, totals.Seconds())
}

// loss promises that what is missing is what the dead node alone had: increments that it took for its own partitions since its
// last flush, of which there were at most so many.
func (t *trial) loss(a account, owned map[int]bool, most int64) {
	foreign := 0
	for key := range a.missing {
		if !owned[partitionOf(key)] {
			foreign++
		}
	}
	missing := total(a.missing)
	t.rep.promise(foreign == 0, "only partitions that the dead node owned miss anything (%d keys of others do)", foreign)
	t.rep.promise(missing <= most, "missing are %d, in %d keys: at most what the dead node had answered since that flush, %d (for its own partitions about %d)",
		missing, len(a.missing), most, most*int64(len(owned))/partitions)
}
