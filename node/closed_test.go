package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// R12: somebody who closes a process by hand, as one may whose clock has lapsed, leaves its ledger rows. They are no sign of an older state of the
// store: totals that are not in memory can be read, by who owned the partition then and by who acquires it afterwards.
func TestNode_ReadsTotalsBesideRowsOfAProcessThatWasClosedByHand(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	c := newClusterOn(t, openStore(t, pg.URL(database)), 1, func(cfg *Config) {
		cfg.OwnerTimeout, cfg.KeepPersisted = 500*time.Millisecond, 0
	})
	n := c.nodes[0]
	c.agree()
	pg.Query(t, database, fmt.Sprintf(`begin;
		insert into nodes (id, name, http_addr, peer_addr, gossip_addr, lease_until, closed_at) select '%s', 'gone', '', '', '', now(), now();
		insert into ledger (partition, origin, number, sum) select partition, n.id, 3, 3 from partition_owner, nodes n where n.name = 'gone';
		insert into counters (key, value) values ('before', 7), ('after', 8);
		commit`, uuid.New()))
	reads := func(i *instance, key string, want int64) {
		t.Helper()
		eventually(t, func() error {
			r, err := i.Total([]byte(key))
			if err == nil && r.Value != want {
				err = errors.New("a wrong total")
			}
			return err
		})
	}
	reads(n, "before", 7)
	n.crash()
	reads(c.start("n2"), "after", 8)
}

// R10: as long as no round can tell why what is read is of an older state, those who wait for a total do not read without a pause.
func TestNode_ReadsOfAnOlderStateDoNotFloodTheStore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.OwnerTimeout, cfg.LeaseTTL = 300*time.Millisecond, time.Minute })
	n := c.nodes[0]
	c.agree()
	n.faults.add(refuse(errDown, "Renew"))
	eventually(t, func() error { // until then, a round under way may find out
		n.refresh()
		if n.storeOK.Load() {
			return errors.New("the lease was renewed")
		}
		return nil
	})
	key, stranger := "cold", uuid.New()
	n.slots.change(n.slots.of(counter.Hash(key)), func(p *counter.Partition) {
		_, epoch := p.Owner()
		p.AddOrigin(stranger)
		p.Handle(stranger, &counter.Section{Partition: p.ID(), Epoch: epoch, First: 1, Ops: []counter.Op{{Key: "k", Delta: 1}}}, n.limits, true)
		p.Freeze()
		p.Done(epoch, nil, nil) // which the store knows nothing of
	})
	before := n.count.loads.Get()
	if r, err := n.Total([]byte(key)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := n.once(key, "i", 1); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%+v, %v", r, err)
	}
	set := setTo(key, 1)
	if r, err := n.Change(set); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%+v, %v", r, err)
	}
	if got := n.count.loads.Get() - before; got > 3*300/2+10 { // a pause of 2 ms between two
		t.Errorf("%d reads", got)
	}
}

// A flush that ends while the store is read makes what was read old, which is no sign that the store came back from an older state.
func TestNode_AReadThatAFlushOvertookIsNoSignOfAnOlderState(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	c.agree()
	cold, busy := n.keyOf("cold", 0), ""
	for k := 0; busy == ""; k++ { // another one of its partition
		if some := fmt.Sprintf("busy%d", k); partitionOf(some) == partitionOf(cold) {
			busy = some
		}
	}
	var once sync.Once
	n.faults.add(&fault{methods: []string{"Read"}, do: func(_ context.Context, apply func() error) error {
		err := apply()
		once.Do(func() {
			if _, err := n.Increment(Increment{Key: []byte(busy), Delta: 1, Durability: Database}); err != nil {
				t.Error(err)
			}
		})
		return err
	}})
	n.faults.add(refuse(errDown, "Renew")) // no round looks at the sign before this test does
	if r, err := n.Total([]byte(cold)); err != nil || r.Value != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if n.suspect.Load() {
		t.Error("the store is taken for an older one")
	}
	n.faults.heal()
	c.exact(map[string]int64{busy: 1})
}
