package node

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// R6: nobody increments any more when the database loses what another node's operations did. The owner finds out by itself, and
// gets them again.
func TestCluster_FindsOutWithoutAnIncrementThatTheDatabaseWentBackInTime(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, func(cfg *Config) {
		shortLeases(cfg)
		cfg.KeepPersisted = 12 * time.Second
	})
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	for n := range int64(3) {
		other.add(key, 1)
		c.exact(map[string]int64{key: n + 1})
	}
	pg.Query(t, database, fmt.Sprintf("update ledger set number = 1 where partition = %d", partitionOf(key)))
	pg.Query(t, database, fmt.Sprintf("update counters set value = 1 where key = '%s'", key))
	eventually(t, func() error {
		if owner.count.conflicts.Get() == 0 {
			return errors.New("the owner has not noticed")
		}
		return nil
	})
	eventually(t, func() error {
		if got := c.stored(key)[key]; got != 3 {
			return fmt.Errorf("the store has %d", got)
		}
		return nil
	})
	c.exact(map[string]int64{key: 3})
}

// What is kept for a store that comes back from an older state grows no older while the store is away: it may be that very
// moment from which it comes back.
func TestNode_KeepsForTheTimeThatTheStoreStands(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, shortLeases)
	n := c.nodes[0]
	away := n.faults.add(refuse(errDown, "Renew"))
	eventually(t, func() error { // the first of these rounds has ended when the second begins
		n.refresh()
		if away.hits("Renew") < 2 {
			return errors.New("no round has failed")
		}
		return nil
	})
	before := n.stood.time()
	c.lapsed(n)
	n.faults.remove(away)
	back := time.Now()
	eventually(t, func() error {
		n.refresh()
		if n.stood.time() == before {
			return errors.New("the store does not stand")
		}
		return nil
	})
	if grown := n.stood.time() - before; grown > time.Since(back) {
		t.Errorf("the store has stood for %v more since it came back %v ago", grown, time.Since(back))
	}
}

// A partition of conflict must wait for a new epoch before it is dropped: a round that finds it dropped and not waiting takes
// it for one to be acquired as it stands.
func TestNode_LetsAPartitionOfConflictWaitBeforeItDropsIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	key := n.keyOf("k", 0)
	n.add(key, 3)
	c.exact(map[string]int64{key: 3})
	partition := partitionOf(key)
	_, before, _ := n.ownership(partition)
	away := n.faults.add(refuse(errDown, "Renew")) // no round takes what waits
	eventually(t, func() error {
		n.refresh()
		if away.hits("Renew") < 2 {
			return errors.New("a round may be under way")
		}
		return nil
	})
	sl := &n.slots.all[partition]
	sl.mu.Lock()
	unlock := sync.OnceFunc(sl.mu.Unlock)
	defer unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.conflict(flush.Batch{Partition: partition, Epoch: before}, nil)
	}()
	within(t, 5*time.Second, func() error {
		if !n.afresh.has(partition) {
			return errors.New("it does not wait for a new epoch before it can be dropped")
		}
		return nil
	})
	unlock()
	<-done
	n.faults.heal()
	eventually(t, func() error {
		n.refresh()
		if _, epoch, owning := n.ownership(partition); !owning || epoch <= before {
			return fmt.Errorf("at epoch %d, owning: %v", epoch, owning)
		}
		return nil
	})
	n.add(key, 1)
	c.exact(map[string]int64{key: 4})
}
