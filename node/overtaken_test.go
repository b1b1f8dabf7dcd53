package node

import (
	"errors"
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

// An owner that began from a ledger which is not the store's any more finds out by the first value that it reads, and begins again: the
// store came back from an older state, and gave the same epoch away a second time.
func TestNode_StartsAfreshWhenSomebodyElseHasFlushedAtItsEpoch(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	other.add(key, 3)
	c.exact(map[string]int64{key: 3})
	partition := partitionOf(key)
	_, epoch, _ := owner.ownership(partition)
	won, err := c.store.Reclaim(t.Context(), owner.id, []flush.Reclaim{{
		Ownership: flush.Ownership{Partition: partition, Owner: owner.id, Epoch: epoch}, Above: epoch + 1,
	}})
	if err != nil || len(won) != 1 {
		t.Fatalf("won %v, %v", won, err)
	}
	stale, err := c.store.Adopt(t.Context(), []uint32{partition})
	if err != nil {
		t.Fatal(err)
	}
	stale.Ledger = nil
	conflicts := owner.count.conflicts.Get()
	owner.slots.change(&owner.slots.all[partition], func(p *counter.Partition) { p.Drop() })
	owner.adopt(map[uint32]uint64{partition: won[0].Epoch}, stale, false)
	eventually(t, func() error {
		if r, err := owner.Total([]byte(key)); err == nil && r.Value != 3 {
			t.Fatalf("it tells %d, 3 were counted", r.Value)
		}
		if owner.count.conflicts.Get() == conflicts {
			return errors.New("the owner has not noticed")
		}
		return nil
	})
	other.add(key, 4)
	c.exact(map[string]int64{key: 7})
}
