package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// Families of keys, by what is checked of them.
const (
	familySum    = "sum"    // increments without idempotency keys: bounds
	familyExact  = "exact"  // increments under idempotency keys, repeated until answered: exact sums
	familyStrict = "strict" // value-returning increments and reads of the table: linearizable, whatever happens
	familyTotal  = "total"  // value-returning increments and totals: linearizable for what was answered
)

const (
	keysOfLevel  = 24
	slots        = 6  // linearizability keys in use at once, of each family
	callsOfKey   = 80 // then the slot goes on with a new key: a search takes exponential time
	largestDelta = 1 << 40
)

// workload is the load of a run.
type workload struct {
	*world
	levels     []history.Level // that the nodes offer
	idempotent bool            // they know idempotency keys
	nextOp     atomic.Int64
	lines      map[string][]*line // of families strict and total
	running    sync.WaitGroup
	giveUp     context.Context // its end ends what is repeated
}

// line is a slot of keys for linearizability.
type line struct {
	mu               sync.Mutex
	generation, used int
}

func (l *line) key(family string, slot int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.used == callsOfKey {
		l.generation, l.used = l.generation+1, 0
	}
	l.used++
	return fmt.Sprintf("%s/%d/%d", family, slot, l.generation)
}

// start puts on the load until ctx ends. What is under an idempotency key then is repeated until giveUp ends.
func (l *workload) start(ctx, giveUp context.Context) {
	l.giveUp = giveUp
	l.lines = map[string][]*line{}
	for _, family := range []string{familyStrict, familyTotal} {
		for range slots {
			l.lines[family] = append(l.lines[family], &line{})
		}
	}
	for i := range l.opt.clients {
		l.running.Go(func() { l.work(ctx, rand.New(rand.NewPCG(l.opt.seed, uint64(i)))) })
	}
}

// work is one client, in an open loop as far as answers allow.
func (l *workload) work(ctx context.Context, rng *rand.Rand) {
	cl := newClient()
	defer cl.close()
	mean := float64(l.opt.clients) / float64(l.opt.rate) * float64(time.Second)
	for rig.Pause(ctx, time.Duration(rng.ExpFloat64()*mean)) {
		switch n := rng.IntN(100); {
		case n < 20 && l.idempotent:
			l.exact(ctx, cl, rng)
		case n < 55:
			l.sum(cl, rng)
		case n < 75:
			l.linear(cl, rng, familyStrict, history.Stored)
		default:
			l.linear(cl, rng, familyTotal, history.Total)
		}
	}
}

// target is any node, also one that is down, paused or cut off at the moment.
func (l *workload) target(rng *rand.Rand) *member {
	for {
		m := l.members[rng.IntN(len(l.members))]
		if m.place < l.opt.nodes || m.running() != nil {
			return m
		}
	}
}

// patience of a client, which is shorter than the nodes' own limits now and then.
func patience(rng *rand.Rand) time.Duration {
	return time.Duration(500+rng.IntN(7500)) * time.Millisecond
}

func (l *workload) sum(cl *client, rng *rand.Rand) {
	level := l.levels[rng.IntN(len(l.levels))]
	c := history.Call{
		Level: level, Key: fmt.Sprintf("%s/%v/%d", familySum, level, rng.IntN(keysOfLevel)), Op: l.nextOp.Add(1), Delta: 1 + rng.Int64N(100),
	}
	l.perform(cl, l.target(rng), &c, rng.IntN(10) == 0, patience(rng))
}

// exact repeats one increment, at any node, until it is answered. Deltas of both signs: each counts once, so sums are exact.
func (l *workload) exact(ctx context.Context, cl *client, rng *rand.Rand) {
	level := l.levels[rng.IntN(len(l.levels))]
	first := history.Call{
		Level: level, Idempotent: true, Key: fmt.Sprintf("%s/%v/%d", familyExact, level, rng.IntN(keysOfLevel)), Op: l.nextOp.Add(1),
		Delta: rng.Int64N(2001) - 1000,
	}
	for {
		c := first
		l.perform(cl, l.target(rng), &c, false, patience(rng))
		if c.Outcome == history.Answered || c.Outcome == history.Later {
			if rng.IntN(10) == 0 { // a client that did not believe it
				c = first
				l.perform(cl, l.target(rng), &c, false, patience(rng))
			}
			return
		}
		if !rig.Pause(l.giveUp, time.Duration(50+rng.IntN(400))*time.Millisecond) {
			return
		}
	}
}

func (l *workload) linear(cl *client, rng *rand.Rand, family string, reads history.Kind) {
	slot := rng.IntN(slots)
	c := history.Call{Kind: reads, Level: history.Database, Key: l.lines[family][slot].key(family, slot), Op: l.nextOp.Add(1)}
	if rng.IntN(100) < 60 {
		// Large random deltas: a sum tells which of them it has.
		c.Kind, c.Delta = history.Add, 1+rng.Int64N(largestDelta)
	}
	l.perform(cl, l.target(rng), &c, c.Kind == history.Add, patience(rng))
}

// probe finds out what this build offers. The cluster is up and nothing is broken yet.
func (l *workload) probe(ctx context.Context) (missing []string, err error) {
	cl := newClient()
	defer cl.close()
	m := l.members[0]
	ask := func(name string, c history.Call) (bool, error) {
		req, err := request(m.HTTP, &c, false)
		if err != nil {
			return false, err
		}
		r, _, err := cl.do(m.HTTP, req, 10*time.Second)
		if err != nil {
			return false, fmt.Errorf("ask %s for %s: %w", m.Name, name, err)
		}
		if r.status >= 300 {
			missing = append(missing, fmt.Sprintf("%s: %d %.160s", name, r.status, r.body))
		}
		return r.status < 300, ctx.Err()
	}
	for level := range history.Levels {
		ok, err := ask("durability "+level.String(), history.Call{Level: level, Key: "probe"})
		if err != nil {
			return nil, err
		}
		if ok {
			l.levels = append(l.levels, level)
		}
	}
	if l.idempotent, err = ask("idempotency keys", history.Call{Level: history.Database, Key: "probe", Idempotent: true}); err != nil {
		return nil, err
	}
	if !slices.Contains(l.levels, history.Database) {
		return nil, fmt.Errorf("the nodes do not offer durability database: %v", missing)
	}
	return missing, nil
}
