package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// killPostgres kills Postgres under load: for shorter than a lease several times, then for longer than one.
func killPostgres(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/6)
	var all []*probe
	outages := []time.Duration{0, t.upTo(t.opt.lease / 3), t.upTo(t.opt.lease / 2), t.opt.lease + t.opt.lease/2}
	for i, outage := range outages {
		asked, err := t.outage(ctx, outage, i)
		if err != nil {
			return err
		}
		all = append(all, asked...)
		rig.Pause(ctx, t.upTo(flushInterval))
	}
	t.keepUp(ctx, l)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	t.settleProbes(ctx, all)
	return nil
}

func (t *trial) upTo(d time.Duration) time.Duration { return time.Duration(t.rng.Int64N(int64(d))) }

// outage kills Postgres, starts it again after at least so long, and waits until each node counts at once again what each of them
// owns.
func (t *trial) outage(ctx context.Context, length time.Duration, number int) ([]*probe, error) {
	one := map[int]bool{} // partition of each node
	for _, m := range t.live() {
		owned, err := t.ownedBy(m)
		if err != nil {
			return nil, err
		}
		for partition := range owned {
			one[partition] = true
			break
		}
	}
	before, err := t.moves()
	if err != nil {
		return nil, err
	}
	down := time.Now()
	t.pg.Kill9()
	rig.Pause(ctx, length)
	if err := t.pg.Restart(); err != nil {
		return nil, err
	}
	up := time.Now()
	all := probes(one, t.live(), number)
	counting, totals, err := t.recovered(ctx, up, t.opt.lease+settleLimit, all)
	if err != nil {
		return nil, err
	}
	t.rep.note("kill -9 of Postgres, back after %.2f s; %.2f s later nodes trust their leases and count without reserve, totals %.2f s later", up.Sub(down).Seconds(), counting.Seconds(), totals.Seconds())
	t.recovery(counting)
	if err := t.awaitBalance(ctx); err != nil {
		return nil, err
	}
	after, err := t.moves()
	if err == nil && after > before {
		t.rep.note("      %d partitions changed their owner meanwhile, though all nodes were there", after-before)
	}
	return all, err
}

// moves is how often partitions have changed their owners so far.
func (t *trial) moves() (sum int, err error) {
	text, err := t.pg.SQL(database, "select sum(epoch) from partition_owner")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// recovery enters a time of recovery in the report, which shows the longest.
func (t *trial) recovery(d time.Duration) {
	t.rep.row.recovery, t.rep.row.hasRecovery = max(t.rep.row.recovery, d), true
}

// cutPostgres breaks connections in the middle of flushes, under load: in turn with a commit whose reply is dropped, a commit
// that comes after the client's end of the connection is gone, and all connections at once.
func cutPostgres(ctx context.Context, t *trial) error {
	l, err := t.startWitnessed(ctx, t.members, t.members, nil)
	if err != nil {
		return err
	}
	rig.Pause(ctx, t.opt.duration/6)
	dropped, abandoned, cut := 0, 0, 0
	for round := 0; time.Since(l.began) < t.opt.duration && ctx.Err() == nil; round++ {
		rig.Pause(ctx, t.upTo(flushInterval))
		switch round % 3 {
		case 0:
			dropped += t.sprung(ctx, t.pick().proxy.DropReply(loadPrefix)) // while the load runs, only flushes carry its keys
		case 1:
			abandoned += t.sprung(ctx, t.pick().proxy.Abandon(loadPrefix))
		case 2:
			for _, m := range t.members {
				m.proxy.Cut()
			}
			cut++
		}
	}
	unknown, err := t.unknownOutcomes(ctx)
	if err != nil {
		return err
	}
	t.rep.promise(dropped > 0 && unknown > 0, "it was hit: %d replies to commits dropped, %d flushes committed behind a broken connection, %d times all connections cut; %d partitions flushed with an unknown outcome, by the nodes' count",
		dropped, abandoned, cut, unknown)
	res, a, err := t.settle(ctx, l)
	if err != nil {
		return err
	}
	t.flawless(res, a)
	return nil
}

// sprung waits for a trap and returns 1, or 0 when nothing stepped into it.
func (t *trial) sprung(ctx context.Context, trap <-chan struct{}) int {
	timer := time.NewTimer(settleLimit)
	defer timer.Stop()
	select {
	case <-trap:
		return 1
	case <-ctx.Done():
	case <-timer.C:
	}
	return 0
}

// unknownOutcomes is how many batches had an unknown outcome, by the nodes' own count.
func (t *trial) unknownOutcomes(ctx context.Context) (sum int, err error) {
	const name = "pinocchio_flush_unknown_outcomes_total"
	for _, m := range t.live() {
		metrics, err := t.metrics(ctx, m)
		if err != nil {
			return 0, err
		}
		v, ok := metrics[name]
		if !ok {
			return 0, fmt.Errorf("%s has no metric %s", m.Name, name)
		}
		sum += int(v)
	}
	return sum, nil
}
