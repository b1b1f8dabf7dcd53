package main

import (
	"context"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// restartAll stops all nodes in order and starts them again; then the same with kill -9.
func restartAll(ctx context.Context, t *trial) error {
	if err := t.stopAll(ctx); err != nil {
		return err
	}
	if err := t.crashAll(ctx, onDisk); err != nil {
		return err
	}
	return t.goOn(ctx)
}

// restartMemory kills all nodes of a load whose answers did not wait for a log.
func restartMemory(ctx context.Context, t *trial) error {
	if err := t.crashAll(ctx, inMemory); err != nil {
		return err
	}
	return t.goOn(ctx)
}

// goOn loads nodes that have just come back.
func (t *trial) goOn(ctx context.Context) error {
	// What is there after the crash is a base like any other: a load on top of it is exact.
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/4)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	return nil
}

// stopAll loads, stops all nodes in order, and starts them again.
func (t *trial) stopAll(ctx context.Context) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/4)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	before, err := t.tableSum()
	if err != nil {
		return err
	}
	for _, m := range t.members {
		m.process.Signal(syscall.SIGTERM)
	}
	for _, m := range t.members {
		t.expectExit(m)
	}
	after, err := t.tableSum()
	if err != nil {
		return err
	}
	t.rep.promise(before == after, "SIGTERM of all leaves the table as it is: sum %s, before %s", after, before)
	if err := t.startAll(ctx); err != nil {
		return err
	}
	return t.totalsAreThere(ctx, "the stop")
}

// startAll starts all nodes and waits until they are as before.
func (t *trial) startAll(ctx context.Context) error {
	began := time.Now()
	for _, m := range t.members {
		if err := t.launch(m); err != nil {
			return err
		}
	}
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.rep.note("all nodes are up again, %.2f s after their start", time.Since(began).Seconds())
	return nil
}

// totalsAreThere promises that every node tells every counter as the table has it. There is no load.
func (t *trial) totalsAreThere(ctx context.Context, after string) error {
	table, err := t.table(loadPrefix)
	if err != nil {
		return err
	}
	wrong := 0
	for _, m := range t.live() {
		for key, c := range table {
			ask, cancel := context.WithTimeout(ctx, probeLimit)
			value, stale, err := t.total(ask, m, key)
			cancel()
			if err != nil || stale || value != c.value {
				wrong++
			}
		}
	}
	t.rep.promise(wrong == 0 && len(table) > 0, "after %s every node tells all %d totals as the table has them (%d differ)", after, len(table), wrong)
	return nil
}

// crashAll kills all nodes at the same moment under load of a durability, and starts them again with their data.
func (t *trial) crashAll(ctx context.Context, durability string) error {
	row := t.rep.row
	// The reading of totals begins while the nodes are dead.
	l, err := t.startLoad(ctx, t.members, func(o *bench.Options) {
		o.Durability, o.VerifyTimeout = durability, t.opt.lease+verifyLimit
	})
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/4+t.upTo(flushInterval))
	for _, m := range t.members {
		m.process.Signal(syscall.SIGKILL)
	}
	l.stop() // what is under way has no answer any more
	for _, m := range t.members {
		m.process.Kill()
	}
	t.rep.note("kill -9 of all nodes")
	rig.Pause(ctx, lateFlush)
	had, err := t.table(loadPrefix)
	if err != nil {
		return err
	}
	if err := t.startAll(ctx); err != nil {
		return err
	}
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	has, err := t.table(loadPrefix)
	if err != nil {
		return err
	}
	less, more := changes(had, has)
	t.rep.promise(less == 0, "what Postgres had when the last node died is still there (%d keys have less); the logs brought more to %d keys", less, more)
	if durability == inMemory {
		t.rep.note("missing: %d, in %d keys: what all three nodes had in memory only", total(a.missing), len(a.missing))
	} else {
		t.exact(res, a)
	}
	failed := t.rep.row.failed - row.failed
	// They die one after another: a connection may lose one request with each.
	t.rep.promise(failed <= int64(t.opt.connections*len(t.members)), "failed are at most what was under way: %d, on %d connections that saw %d nodes die",
		failed, t.opt.connections, len(t.members))
	return t.totalsAreThere(ctx, "the crash")
}

// changes counts the keys that have less than before, and more. The load only adds.
func changes(had, has map[string]counter) (less, more int) {
	for key, c := range had {
		if has[key].value < c.value {
			less++
		}
	}
	for key, c := range has {
		if c.value > had[key].value {
			more++
		}
	}
	return less, more
}
