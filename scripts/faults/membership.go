package main

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// third of the duration is when the fault comes: the load runs evenly before it, and long enough behind it.
func (t *trial) third(ctx context.Context, l *load) {
	rig.Pause(ctx, t.opt.duration/3-time.Since(l.began))
}

// addNode lets a fourth node join.
func addNode(ctx context.Context, t *trial) error {
	fourth, err := t.newMember("n4")
	if err != nil {
		return err
	}
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	t.third(ctx, l)
	began := time.Now()
	if err := t.launch(fourth); err != nil {
		return err
	}
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	owned, err := t.ownedBy(fourth)
	if err != nil {
		return err
	}
	t.rep.note("n4 owns %d partitions, %.2f s after its start", len(owned), time.Since(began).Seconds())
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	t.rep.promise(res.AnsweredByTarget[fourth.HTTP] > 0, "the new node took load: it answered %d requests", res.AnsweredByTarget[fourth.HTTP])
	return nil
}

// removeNode lets a node leave for good.
func removeNode(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	t.third(ctx, l)
	leaver := t.pick()
	t.rep.note("SIGTERM to %s", leaver.Name)
	leaver.process.Signal(syscall.SIGTERM)
	t.expectExit(leaver)
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	return nil
}

// rollNodes restarts one node after another.
func rollNodes(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/6)
	for _, m := range t.members {
		began := time.Now()
		if err := errors.Join(t.restart(m), t.awaitBalance(ctx)); err != nil {
			return err
		}
		t.rep.note("%s is back with its share, %.2f s after its SIGTERM", m.Name, time.Since(began).Seconds())
	}
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	return nil
}
