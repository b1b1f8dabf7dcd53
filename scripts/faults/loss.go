package main

import (
	"context"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// sampleEvery is how often a node that is going to be killed is asked how much it has accepted.
const sampleEvery = 50 * time.Millisecond

// sampler watches how much a node accepts, from its start until end.
type sampler struct {
	node    *member
	samples []sample
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// sample says that the node had accepted no fewer increments at that moment.
type sample struct {
	at       time.Time
	accepted int64
}

// watch samples m.
func (t *trial) watch(ctx context.Context, m *member) *sampler {
	ctx, stop := context.WithCancel(ctx)
	s := &sampler{node: m, stop: stop}
	s.done.Go(func() {
		for ; ctx.Err() == nil; rig.Pause(ctx, sampleEvery) {
			if metrics, err := t.metrics(ctx, m); err == nil {
				s.samples = append(s.samples, sample{at: time.Now(), accepted: int64(metrics[acceptedMetric])})
			}
		}
	})
	return s
}

// end stops the sampler.
func (s *sampler) end() {
	s.stop()
	s.done.Wait()
}

// freezeMargin is how long before its transaction began a flush may have taken its content.
const freezeMargin = 100 * time.Millisecond

// mostLost is how many answered increments a killed node may at most have taken since it froze its last flush, which began
// at flushed: all that clients got answers for, less those that it had accepted by then. What was accepted and not
// answered yet is at most one increment for each connection.
func (s *sampler) mostLost(res *bench.Result, flushed time.Time) int64 {
	var by int64
	for _, x := range s.samples {
		if x.at.Before(flushed.Add(-freezeMargin)) {
			by = max(by, x.accepted)
		}
	}
	return res.AnsweredByTarget[s.node.HTTP] - by + int64(res.Connections)
}

// lastFlush returns when the latest flush of the partitions began, by the table.
func (t *trial) lastFlush(of map[int]bool) (latest time.Time, err error) {
	table, err := t.table(loadPrefix)
	if err != nil {
		return latest, err
	}
	for key, c := range table {
		if of[partitionOf(key)] && c.updated.After(latest) {
			latest = c.updated
		}
	}
	return latest, nil
}
