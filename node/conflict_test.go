package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// Somebody has moved one of a batch's ledger rows, with its deltas, behind the owner's back: what is in its memory cannot be told
// from what is in the store. It starts the partition afresh, and the origins send it what the ledger lacks (R3, R6).
func TestNode_StartsAPartitionAfreshWhenTheLedgerChangedBehindItsBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second; cfg.LeaseTTL = 3 * time.Second })
	owner, other := c.nodes[0], c.nodes[1]
	mine, partition := owner.keyOf("mine", 0), partitionOf(owner.keyOf("mine", 0))
	theirs := ""
	for k := 0; theirs == ""; k++ {
		if key := fmt.Sprintf("theirs%d", k); partitionOf(key) == partition {
			theirs = key
		}
	}
	owner.add(mine, 3)
	other.add(theirs, 4)
	_, before, _ := owner.ownership(partition)

	stranger := &fault{methods: []string{"Flush"}}
	stranger.do = func(ctx context.Context, apply func() error) error {
		switch stranger.hits("Flush") {
		case 1:
			_, err := c.store.Flush(ctx, &flush.Request{Node: owner.id, Batches: []flush.Batch{{
				Partition: partition, Epoch: before,
				Moves:  []flush.Move{{Origin: other.id, From: 0, To: 1}},
				Deltas: []flush.Delta{{Key: theirs, Delta: 4}},
			}}})
			if err != nil {
				t.Error(err)
			}
		case 2: // the new epoch: nobody knows whether it stands
			_ = apply()
			return errLost
		}
		return apply()
	}
	owner.faults.add(stranger)
	owner.flusher.Kick()
	eventually(t, func() error {
		if owner.count.conflicts.Get() == 0 {
			return errors.New("no conflict was seen")
		}
		return nil
	})
	eventually(t, func() error {
		_, epoch, owning := owner.ownership(partition)
		if !owning || epoch <= before {
			return fmt.Errorf("at epoch %d, owning: %v", epoch, owning)
		}
		return nil
	})
	c.agree()
	owner.add(mine, 10)
	other.add(theirs, 10)
	owner.flusher.Kick()
	c.exact(map[string]int64{mine: 13, theirs: 14})
	if got := owner.count.lost.Get(); got != 0 {
		t.Errorf("the fresh start was lost %d times", got)
	}
}

// R6: the database came back from a state that lacks what the origins have seen persisted. They keep it for a while and send it again.
func TestCluster_ResendsWhatTheDatabaseLostWhenItWentBackInTime(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, shortLeases)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	for n := range int64(3) {
		other.add(key, 1)
		owner.add(key, 10)
		c.exact(map[string]int64{key: 11 * (n + 1)})
	}
	pg.Query(t, database, fmt.Sprintf("update ledger set number = 1 where partition = %d", partitionOf(key)))
	pg.Query(t, database, fmt.Sprintf("update counters set value = 11 where key = '%s'", key))
	other.add(key, 1)
	eventually(t, func() error {
		if owner.count.conflicts.Get() == 0 {
			return errors.New("nothing was reported")
		}
		return nil
	})
	c.exact(map[string]int64{key: 34})
	owner.add(key, 10)
	c.exact(map[string]int64{key: 44})
}

// R6: what is not kept any more is missing. The node that knows says so and stops.
func TestNode_StopsWhenTheDatabaseLostWhatIsNotKeptAnyMore(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 2, func(cfg *Config) {
		shortLeases(cfg)
		cfg.KeepPersisted = 0
	})
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	for n := range int64(3) {
		other.add(key, 1)
		c.exact(map[string]int64{key: n + 1})
	}
	pg.Query(t, database, fmt.Sprintf("update ledger set number = 1 where partition = %d", partitionOf(key)))
	other.add(key, 1)
	other.away.Store(true)
	select {
	case <-other.done:
	case <-time.After(patience):
		t.Fatal("goes on")
	}
	if err := other.err; err == nil || !strings.Contains(err.Error(), "it has 1, and once had 3") {
		t.Errorf("ended with %v", err)
	}
	if got := other.Audit().Lost; got != 2 {
		t.Errorf("its figures say that %d are lost", got)
	}
}
