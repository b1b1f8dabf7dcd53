package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// probePrefix begins the keys of probes.
const probePrefix = "probe:"

// probe asks one node to count one key of one partition, again and again until it is counted at once, and then for the
// total until the node tells it without reserve.
type probe struct {
	via       *member
	partition int
	key       string
	answered  int64 // counted, now or later
	unknown   int64
	counted   time.Time // when the first answer without "later" came; zero: never
	told      time.Time // when the first total came that is not stale; zero: never
	wrong     string    // what was wrong with that total
}

// probes is one probe for each of the partitions through each of the members. Each round has keys of its own.
func probes(of map[int]bool, via []*member, round int) (all []*probe) {
	for partition := range of {
		for _, m := range via {
			all = append(all, &probe{
				via: m, partition: partition, key: keyIn(partition, fmt.Sprintf("%s%d:%d:%s:", probePrefix, round, partition, m.Name)),
			})
		}
	}
	return all
}

// probeLimit bounds one question: longer than the nodes' own owner timeout of 2 s.
const probeLimit = 10 * time.Second

// run returns when the probe is content, or with ctx.
func (p *probe) run(ctx context.Context, t *trial) {
	const between = 5 * time.Millisecond
	for ; p.counted.IsZero() && ctx.Err() == nil; rig.Pause(ctx, between) {
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		fate := t.increment(ask, p.via, p.key)
		cancel()
		switch fate {
		case counted:
			p.counted = time.Now()
			p.answered++
		case later:
			p.answered++
		case unknown:
			p.unknown++
		case refused:
		}
	}
	for ; p.told.IsZero() && ctx.Err() == nil; rig.Pause(ctx, between) {
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeLimit)
		value, stale, err := t.total(ask, p.via, p.key)
		cancel()
		if err != nil || stale {
			continue
		}
		p.told = time.Now()
		// Only this probe adds to its key, and an answer without "later" means that every later read sees it.
		if value < p.answered || value > p.answered+p.unknown {
			p.wrong = fmt.Sprintf("%s through %s: %d, answered %d, unknown %d", p.key, p.via.Name, value, p.answered, p.unknown)
		}
	}
}

// recovered runs the probes until all are content and reports how long after since that was: until the last partition was
// counted at once, and until the last total was told.
func (t *trial) recovered(ctx context.Context, since time.Time, limit time.Duration, all []*probe) (counting, totals time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var running sync.WaitGroup
	for _, p := range all {
		running.Go(func() { p.run(ctx, t) })
	}
	running.Wait()
	wrong := 0
	for _, p := range all {
		if p.told.IsZero() {
			return 0, 0, fmt.Errorf("partition %d through %s: not counted or not told within %v", p.partition, p.via.Name, limit)
		}
		if p.wrong != "" && wrong < 5 {
			t.rep.note("      %s", p.wrong)
			wrong++
		}
		counting = max(counting, p.counted.Sub(since))
		totals = max(totals, p.told.Sub(since))
	}
	t.rep.promise(wrong == 0, "each total told after a plain 202 contains it")
	return counting, totals, nil
}

// settleProbes promises that the probes' increments stand in the table, each once, and enters them in the report.
func (t *trial) settleProbes(ctx context.Context, all []*probe) {
	off := func() error {
		table, err := t.table(probePrefix)
		if err != nil {
			return err
		}
		for _, p := range all {
			if v := table[p.key].value; v < p.answered || v > p.answered+p.unknown {
				return fmt.Errorf("%s stands at %d, answered %d, unknown %d", p.key, v, p.answered, p.unknown)
			}
		}
		return nil
	}
	err := rig.Await(ctx, settleLimit, "the probes' increments in the table", off)
	t.rep.promise(err == nil, "the table has every increment of %d probes once%s", len(all), because(err))
}
