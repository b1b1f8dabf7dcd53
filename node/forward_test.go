package node

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestCluster_CountsAtAnyNodeAndTellsTheSameAtAll(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	want := make(map[string]int64)
	for at, i := range c.nodes {
		for k := range 8 {
			key := fmt.Sprintf("k%d", k)
			want[key] += int64(k - at)
			// Durability memory: every later read, at any node, sees it.
			if got := i.addReturn(key, int64(k-at)); got != want[key] {
				t.Errorf("%s: total %d of %s, want %d", i.cfg.Name, got, key, want[key])
			}
			for _, other := range c.nodes {
				if got := other.total(key); got != want[key] {
					t.Errorf("%s reads %d of %s, want %d", other.cfg.Name, got, key, want[key])
				}
			}
		}
	}
	c.exact(want)
}

// Many callers of one key at a node that does not own it: their increments travel together, their totals are their own.
func TestCluster_TellsEachCallerItsOwnTotalWhenIncrementsTravelTogether(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("hot", 0)
	const callers, each = 32, 30
	totals := make([][]int64, callers)
	before := other.count.forwardedOut.Get()
	var all sync.WaitGroup
	for n := range callers {
		all.Go(func() {
			for range each {
				totals[n] = append(totals[n], other.addReturn(key, 1))
			}
		})
	}
	all.Wait()
	for n, mine := range totals {
		if !slices.IsSorted(mine) {
			t.Errorf("caller %d saw the total go back: %v", n, mine)
		}
	}
	together := slices.Concat(totals...)
	slices.Sort(together)
	for n, total := range together {
		if total != int64(n)+1 {
			t.Fatalf("the totals are not 1 to %d, each once: the %dth is %d", callers*each, n+1, total)
		}
	}
	if sent := other.count.forwardedOut.Get() - before; sent >= callers*each {
		t.Errorf("%d increments travelled as %d operations", callers*each, sent)
	}
	c.exact(map[string]int64{key: callers * each})
}

func TestCluster_CountsExactlyWhenManyCallersCountAtAllNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	l := c.newLoad(16, 50, always(c.nodes...))
	l.advance(t, 2000)
	l.stop()
	if l.errors.Load() != 0 || l.later.Load() != 0 {
		t.Errorf("%d errors, %d counted later; the first error: %v", l.errors.Load(), l.later.Load(), l.fault)
	}
	c.exact(l.sums.copy())
}

func TestCluster_TellsTheTotalOfACounterThatOnlyTheStoreKnowsAtEachNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	want := make(map[string]int64)
	for k := range 30 {
		key := fmt.Sprintf("k%d", k)
		c.nodes[0].add(key, int64(k)+1)
		want[key] = int64(k) + 1
	}
	c.nodes[0].leave()
	for _, name := range []string{"n1", "n2", "n3"} {
		c.start(name)
	}
	c.agree()
	nodes := c.live()
	for k := range 30 {
		key := fmt.Sprintf("k%d", k)
		at := nodes[k%3]
		if k%2 == 0 { // the first that asks for the counter is an increment
			want[key]++
			if got := at.addReturn(key, 1); got != want[key] {
				t.Errorf("%s: total %d of %s just after an increment, want %d", at.cfg.Name, got, key, want[key])
			}
		}
		if got := at.total(key); got != want[key] {
			t.Errorf("%s: total %d of %s, want %d", at.cfg.Name, got, key, want[key])
		}
	}
	c.exact(want)
}

func TestCluster_RefusesWhatLeavesTheRangeAtTheOwner(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	key := c.nodes[0].keyOf("full", 0)
	c.nodes[0].add(key, math.MaxInt64)
	for _, d := range []Durability{Memory, Database} {
		if _, err := c.nodes[1].Increment(Increment{Key: []byte(key), Delta: 1, Durability: d}); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("durability %d: %v", d, err)
		}
	}
	c.exact(map[string]int64{key: math.MaxInt64})
}

// R10: an owner with too many unflushed counters refuses others' operations until the store took some; they hold them.
func TestCluster_CountsWhatABusyOwnerHadToRefuse(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout, cfg.MaxPending = 50*time.Millisecond, 10_000 })
	owner, other := c.nodes[0], c.nodes[1]
	blocked, release := block("Flush")
	owner.faults.add(blocked)
	defer release()
	want := make(map[string]int64)
	partition := partitionOf(owner.keyOf("k", 0))
	for k := 0; len(want) <= owner.limits.MaxDirty; k++ {
		key := fmt.Sprintf("k%d", k)
		if partitionOf(key) == partition {
			owner.add(key, 1)
			want[key] = 1
		}
	}
	key := "" // one more of that partition
	for k := 0; key == ""; k++ {
		if some := fmt.Sprintf("more%d", k); partitionOf(some) == partition {
			key = some
		}
	}
	r, err := other.Increment(Increment{Key: []byte(key), Delta: 5})
	if err != nil || !r.Later {
		t.Errorf("with a busy owner: %+v, %v", r, err)
	}
	want[key] = 5
	owner.faults.heal()
	release()
	c.exact(want)
}
