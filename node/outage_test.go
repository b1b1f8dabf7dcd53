package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// While the store is down for everybody, increments go on; when it is back, nobody has taken anything from anybody.
func TestCluster_CountsOnAndMovesNothingWhenTheStoreIsDownForLongerThanALease(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, shortLeases)
	l := c.newLoad(2, 40, always(c.nodes...))
	l.advance(t, 100)
	before := c.owners()
	for _, i := range c.nodes {
		i.faults.add(refuse(errDown))
	}
	c.lapsed(c.nodes...)
	for _, i := range c.nodes {
		if i.lease.trusted() {
			t.Errorf("%s trusts a lease that has run out", i.cfg.Name)
		}
		if i.Ready() != nil || i.Cluster().StoreOK {
			t.Errorf("%s: ready: %v, %+v", i.cfg.Name, i.Ready(), i.Cluster())
		}
	}
	l.advance(t, 50)
	for _, i := range c.nodes {
		i.faults.heal()
	}
	c.agree()
	l.advance(t, 100)
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	after := c.owners()
	for p := range before {
		if before[p] != after[p] {
			t.Errorf("partition %d has moved: %+v, then %+v", p, before[p], after[p])
		}
	}
	c.exact(l.sums.copy())
}

// The nodes come back one after another: the first ones do not hand partitions over for a ring that lacks the last one.
func TestCluster_HandsNothingOverForARingThatLacksWhoIsStillComingBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.LeaseTTL = 2 * shortLease }) // the grace must last as long as the test looks on
	first, second, last := c.unstable()
	before := c.owners()
	for _, i := range c.nodes {
		i.faults.add(refuse(errDown))
	}
	c.lapsed(c.nodes...)
	first.faults.heal()
	second.faults.heal()
	for _, i := range []*instance{first, second} {
		eventually(t, func() error {
			i.refresh()
			if members := i.world.Load().table.Members(); len(members) != 2 {
				return fmt.Errorf("%s has %v on its ring", i.cfg.Name, members)
			}
			return nil
		})
		round := i.faults.add(pass("Renew"))
		eventually(t, func() error { // the round that saw this ring has ended when another one begins
			i.refresh()
			if round.hits("Renew") == 0 {
				return errors.New("no further round")
			}
			return nil
		})
	}
	last.faults.heal()
	c.agree()
	if after := c.owners(); !slices.Equal(before, after) {
		t.Error("partitions have moved")
	}
}

// unstable returns the nodes in an order in which a ring of the first two would move a partition between them, which the
// bound on loads may cause.
func (c *cluster) unstable() (first, second, last *instance) {
	c.t.Helper()
	for at := range c.nodes {
		last := c.nodes[at]
		first, second := c.nodes[(at+1)%3], c.nodes[(at+2)%3]
		full := c.nodes[0].world.Load().table
		pair, err := ring.New([]string{first.cfg.Name, second.cfg.Name}, testSettings())
		if err != nil {
			c.t.Fatal(err)
		}
		for p := range testSettings().Partitions {
			if owner := full.Owner(p); owner != last.cfg.Name && pair.Owner(p) != owner {
				return first, second, last
			}
		}
	}
	c.t.Fatal("no ring of two moves anything: choose other settings for this test")
	return nil, nil, nil
}

// owners returns who owns what, as the store has it.
func (c *cluster) owners() []flush.Ownership {
	c.t.Helper()
	v, err := c.store.View(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	return v.Owners
}

// After a short outage nothing has happened but a delay.
func TestCluster_AnswersDatabaseIncrementsWhenTheStoreIsBackInTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	answered := make(chan error, 2)
	key := c.nodes[0].keyOf("k", 0)
	for _, i := range c.nodes {
		i.faults.add(refuse(errDown))
	}
	for _, i := range c.nodes {
		go func() {
			_, err := i.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Database})
			answered <- err
		}()
	}
	select {
	case err := <-answered:
		t.Errorf("answered without the store: %v", err)
	case <-time.After(100 * time.Millisecond): // nothing happens
	}
	for _, i := range c.nodes {
		i.faults.heal()
	}
	for range c.nodes {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	c.exact(map[string]int64{key: 2})
}
