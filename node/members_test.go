package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

func TestCluster_MovesPartitionsToANodeThatJoinsUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	r := newRotation(c.nodes...)
	l := c.newLoad(3, 40, r.pick)
	l.advance(t, 100)
	fourth := c.start("n4")
	c.agree()
	r.put(fourth)
	if fourth.tally().owned == 0 {
		t.Error("the fourth node owns nothing")
	}
	l.advance(t, 100)
	l.stop()
	if l.errors.Load() != 0 || l.later.Load() != 0 {
		t.Errorf("%d errors, %d counted later; the first error: %v", l.errors.Load(), l.later.Load(), l.fault)
	}
	c.exact(l.sums.copy())
}

// rotation is a load balancer: it picks nodes that are in it, and a node that was taken out has no calls under way.
type rotation struct {
	mu    sync.Mutex
	nodes []*instance
	calls map[*instance]*sync.WaitGroup
}

func newRotation(nodes ...*instance) *rotation {
	r := &rotation{calls: make(map[*instance]*sync.WaitGroup)}
	for _, i := range nodes {
		r.put(i)
	}
	return r
}

func (r *rotation) put(i *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = append(r.nodes, i)
	r.calls[i] = new(sync.WaitGroup)
}

func (r *rotation) pick(n int) (*instance, func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.nodes[n%len(r.nodes)]
	r.calls[i].Add(1)
	return i, r.calls[i].Done
}

// take removes a node; calls that it has got go on.
func (r *rotation) take(i *instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []*instance
	for _, other := range r.nodes {
		if other != i {
			left = append(left, other)
		}
	}
	r.nodes = left
}

// retire stops a node as the command does: hand over while clients are served, no more clients, stop.
func (r *rotation) retire(i *instance) {
	i.t.Helper()
	i.away.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	i.Drain(ctx)
	if ctx.Err() != nil {
		i.t.Errorf("%s still owns partitions", i.cfg.Name)
	}
	r.take(i)
	r.calls[i].Wait()
	if err := i.stop(); err != nil {
		i.t.Errorf("%s left with: %v", i.cfg.Name, err)
	}
}

func TestCluster_LosesNoRequestWhenANodeLeavesUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	r := newRotation(c.nodes...)
	l := c.newLoad(3, 40, r.pick)
	l.advance(t, 100)
	r.retire(c.nodes[1])
	c.agree()
	l.advance(t, 100)
	l.stop()
	if l.errors.Load() != 0 || l.later.Load() != 0 {
		t.Errorf("%d errors, %d counted later; the first error: %v", l.errors.Load(), l.later.Load(), l.fault)
	}
	c.exact(l.sums.copy())
	if rows := c.ledgerRows(c.nodes[1]); rows != 0 {
		t.Errorf("a node that left with everything persisted has %d ledger rows", rows)
	}
}

// A partition that has a flush under way when it is to be handed over goes with the next one, not after the next interval; and
// the new owner is told, it does not wait for its next round.
func TestNode_HandsOverAsSoonAsTheFlushUnderWayHasEnded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval, cfg.LeaseTTL = 10*time.Second, time.Minute })
	leaver, heir := c.nodes[0], c.nodes[1]
	key := leaver.keyOf("k", 0)
	leaver.add(key, 1)
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	blocked := &fault{methods: []string{"Flush"}}
	blocked.do = func(_ context.Context, apply func() error) error {
		if blocked.hits("Flush") == 1 { // the others go through: there is room for two statements
			<-gate
		}
		return apply()
	}
	leaver.faults.add(blocked)
	leaver.flusher.Kick()
	eventually(t, func() error {
		if blocked.hits("Flush") == 0 {
			return errors.New("nothing is flushed")
		}
		return nil
	})
	heir.faults.add(refuse(errDown, "Renew")) // no round finds what the heir is to be told
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		leaver.Drain(context.Background())
	}()
	eventually(t, func() error {
		if !leaver.releasing(partitionOf(key)) {
			return errors.New("nothing is handed over")
		}
		return nil
	})
	eventually(t, leaver.flusherLooks())
	began := time.Now()
	release()
	<-drained
	heir.add(key, 1)
	if got := heir.total(key); got != 2 {
		t.Errorf("total %d", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("that took %v", took)
	}
	heir.faults.heal()
}

// The new owner stands in the store a moment before the flush that wrote it has ended. A round of the old owner that sees it
// just then must not keep it from telling the heir, who would have to find out and to settle.
func TestNode_TellsItsHeirAlsoWhenItReadsTheHandOverInTheStoreFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.LeaseTTL = time.Minute })
	leaver, heir := c.nodes[0], c.nodes[1]
	key := leaver.keyOf("k", 0)
	leaver.add(key, 1)
	c.exact(map[string]int64{key: 1})
	gate := make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	written := leaver.faults.add(&fault{methods: []string{"Flush"}, do: func(_ context.Context, apply func() error) error {
		err := apply()
		<-gate
		return err
	}})
	heir.faults.add(refuse(errDown, "Renew"))
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		leaver.Drain(context.Background())
	}()
	eventually(t, func() error {
		if _, _, owning := leaver.ownership(partitionOf(key)); owning || written.hits("Flush") == 0 || c.owners()[partitionOf(key)].Owner != heir.id {
			return errors.New("the hand-over is not written")
		}
		return nil
	})
	rounds := leaver.faults.add(pass("Renew"))
	eventually(t, func() error {
		leaver.refresh()
		if rounds.hits("Renew") < 2 {
			return errors.New("no round has ended")
		}
		return nil
	})
	release()
	<-drained
	heir.add(key, 1)
	if got := heir.total(key); got != 2 {
		t.Errorf("total %d", got)
	}
	heir.faults.heal()
}

func (i *instance) releasing(partition uint32) bool {
	sl := &i.slots.all[partition]
	sl.mu.Lock()
	defer sl.mu.Unlock()
	return sl.p.Phase() == counter.Releasing
}

// ledgerRows returns how many partitions have operations of this origin in the store.
func (c *cluster) ledgerRows(i *instance) (rows int) {
	c.t.Helper()
	all := make([]uint32, testSettings().Partitions)
	for p := range all {
		all[p] = uint32(p)
	}
	s, err := c.store.Read(context.Background(), nil, all, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, row := range s.Ledger {
		if row.Origin == i.id {
			rows++
		}
	}
	return rows
}

// A reader must never see a total go back while partitions move (R8).
func TestCluster_LosesNoRequestAndNoTotalGoesBackInARollingRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	r := newRotation(c.nodes...)
	l := c.newLoad(2, 20, r.pick)
	readers := c.watch(r.pick, 20)
	for at := range 3 {
		l.advance(t, 50)
		r.retire(c.nodes[at])
		again := c.start(fmt.Sprintf("n%d", at+1))
		c.agree()
		r.put(again)
	}
	l.advance(t, 50)
	l.stop()
	readers()
	if l.errors.Load() != 0 || l.later.Load() != 0 {
		t.Errorf("%d errors, %d counted later; the first error: %v", l.errors.Load(), l.later.Load(), l.fault)
	}
	c.exact(l.sums.copy())
}

// watch reads totals of k0 to k<keys-1>, which only grow, and fails the test when one goes back or is not told. The returned
// function ends it.
func (c *cluster) watch(pick func(int) (*instance, func()), keys int) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	for reader := range 2 {
		seen := make([]int64, keys)
		done.Go(func() {
			for n := reader; ; n++ {
				select {
				case <-quit:
					return
				default:
				}
				k := n % keys
				i, release := pick(n + n/keys)
				got, err := i.Total(fmt.Appendf(nil, "k%d", k))
				release()
				switch {
				case err != nil || got.Stale:
					c.t.Errorf("%s: total of k%d: %+v, %v", i.cfg.Name, k, got, err)
					return
				case got.Value < seen[k]:
					c.t.Errorf("%s: the total of k%d went back from %d to %d", i.cfg.Name, k, seen[k], got.Value)
					return
				}
				seen[k] = got.Value
			}
		})
	}
	var once sync.Once
	stop = func() {
		once.Do(func() { close(quit) })
		done.Wait()
	}
	c.t.Cleanup(stop)
	return stop
}
