package main

import (
	"context"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// splitNodes cuts one node off from the others, while it and they still reach Postgres and their clients.
func splitNodes(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	t.third(ctx, l)
	victim := t.pick()
	if err := t.network.cut(victim, t.others(victim)); err != nil {
		return err
	}
	t.rep.note("%s and the others drop each other's packets", victim.Name)
	rig.Pause(ctx, t.beyondLease())
	if err := t.network.heal(); err != nil {
		return err
	}
	healed := time.Now()
	t.rep.note("healed after %.1f s", t.beyondLease().Seconds())
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.rep.note("balanced again %.2f s after the heal", time.Since(healed).Seconds())
	t.recovery(time.Since(healed))
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	return nil
}
