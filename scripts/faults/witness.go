package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// witnessPrefix begins the keys of witnesses.
const witnessPrefix = "witness:"

const (
	witnesses    = 8
	witnessPause = 10 * time.Millisecond
)

// witness adds to a key of its own through one node and reads it through another, all the time, whatever happens to the nodes. It
// proves what an answer promises at durability memory: a 202 without "later" is seen by every later read at any node,
// and totals never go back, unless the node says that what it tells may be behind. It does not add through a node that is
// going to be killed or kept away: what such a node has taken for a key that it owns itself, nobody else has.
type witness struct {
	key      string
	adders   []*member
	readers  []*member
	rng      *rand.Rand
	answered int64 // counted, now or later
	unknown  int64
	low      int64 // what the next read must show at least
	reads    int   // that were told without reserve
	wrong    []string
}

// watchers are all witnesses of a load.
type watchers struct {
	all  []*witness
	stop context.CancelFunc
	done sync.WaitGroup
}

// testify starts witnesses.
func (t *trial) testify(ctx context.Context, adders, readers []*member) *watchers {
	ctx, stop := context.WithCancel(ctx)
	w := &watchers{stop: stop}
	for range witnesses {
		t.witnessed++
		one := &witness{
			key: fmt.Sprintf("%s%d", witnessPrefix, t.witnessed), adders: adders, readers: readers,
			rng: rand.New(rand.NewPCG(t.opt.seed, uint64(t.witnessed))),
		}
		w.all = append(w.all, one)
		w.done.Go(func() { one.run(ctx, t) })
	}
	return w
}

func (w *witness) run(ctx context.Context, t *trial) {
	for ; ctx.Err() == nil; rig.Pause(ctx, witnessPause) {
		first, second := w.adders[w.rng.IntN(len(w.adders))], w.readers[w.rng.IntN(len(w.readers))]
		w.add(t, first)
		if first != second {
			w.read(t, second)
		}
	}
}

// add adds 1. It is not cut short by the end of the load: its outcome would be unknown for nothing.
func (w *witness) add(t *trial, via *member) {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	switch t.increment(ctx, via, w.key) {
	case counted:
		w.answered++
		w.low++
	case later:
		w.answered++
	case unknown:
		w.unknown++
	case refused:
	}
}

func (w *witness) read(t *trial, via *member) {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	value, stale, err := t.total(ctx, via, w.key)
	if err != nil || stale {
		return
	}
	w.reads++
	if high := w.answered + w.unknown; value < w.low || value > high {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: %s through %s: %d, must be %d to %d",
			time.Now().UTC().Format("15:04:05.000"), w.key, via.Name, value, w.low, high))
	}
	w.low = max(w.low, value)
}

// heard ends the witnesses and promises that what they saw is what they were told, and that the table has it in the end.
func (t *trial) heard(ctx context.Context, w *watchers) {
	w.stop()
	w.done.Wait()
	reads, wrong := 0, []string{}
	for _, one := range w.all {
		reads += one.reads
		wrong = append(wrong, one.wrong...)
	}
	for _, text := range wrong[:min(len(wrong), 5)] {
		t.rep.note("      %s", text)
	}
	t.rep.promise(len(wrong) == 0 && reads > 0, "each of %d reads, made through another node right after an increment, shows every increment counted before (%d do not)", reads, len(wrong))
	err := rig.Await(ctx, settleLimit, "the witnesses' increments in the table", func() error {
		table, err := t.table(witnessPrefix)
		if err != nil {
			return err
		}
		for _, one := range w.all {
			if v := table[one.key].value; v < one.answered || v > one.answered+one.unknown {
				return fmt.Errorf("%s stands at %d, answered %d, unknown %d", one.key, v, one.answered, one.unknown)
			}
		}
		return nil
	})
	t.rep.promise(err == nil, "the table has every increment of %d witnesses once%s", len(w.all), because(err))
}
