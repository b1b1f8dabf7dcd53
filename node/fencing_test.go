package node

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

var errDown = &flush.RetryError{Err: errors.New("the store is down")}

// doubtful waits until the node tells a total of its own as stale.
func (i *instance) doubtful(key string) {
	i.t.Helper()
	eventually(i.t, func() error {
		r, err := i.Total([]byte(key))
		if err == nil && !r.Stale {
			err = errors.New("the total is not told as stale")
		}
		return err
	})
}

// lapsed waits until the store says that the lease of every node has run out.
func (c *cluster) lapsed(nodes ...*instance) {
	c.t.Helper()
	eventually(c.t, func() error {
		v, err := c.store.View(context.Background())
		if err != nil {
			return err
		}
		for _, s := range v.Nodes {
			for _, i := range nodes {
				if s.ID == i.id && s.LeaseLeft > 0 {
					return fmt.Errorf("%s has a lease for %v", s.Name, s.LeaseLeft)
				}
			}
		}
		return nil
	})
}

// usurped waits until other nodes own everything, as they and the store see it.
func (c *cluster) usurped(victim *instance, by ...*instance) {
	c.t.Helper()
	eventually(c.t, func() error {
		for p := range testSettings().Partitions {
			owned := 0
			for _, i := range by {
				if _, _, owning := i.ownership(p); owning {
					owned++
				}
			}
			if owned != 1 {
				return fmt.Errorf("partition %d has %d owners besides %s", p, owned, victim.cfg.Name)
			}
		}
		return nil
	})
}

// A node that cannot renew its lease says so in its answers, loses its partitions (R5), and keeps its outbox (R6).
func TestNode_TellsItsDoubtAndLosesItsPartitionsButNoIncrementWhenItCannotRenew(t *testing.T) {
	t.Parallel()
	for name, methods := range map[string][]string{
		"only the lease fails":    {"Renew"},
		"it cannot reach a thing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3, shortLeases)
			victim, others := c.nodes[0], c.nodes[1:]
			key := victim.keyOf("own", 0)
			l := c.newLoad(2, 40, always(c.nodes...))
			l.advance(t, 50)
			victim.total(key) // in memory from here on
			victim.faults.add(refuse(errDown, methods...))
			victim.doubtful(key)
			eventually(t, func() error { // a moment later than reads: it looks at no clock
				r, err := victim.Increment(Increment{Key: []byte(key), Delta: 1})
				if err != nil {
					t.Fatal(err)
				}
				l.sums.add(key, 1)
				if !r.Later {
					return errors.New("the increment is not counted later")
				}
				return nil
			})
			c.usurped(victim, others...)
			l.advance(t, 50)
			victim.faults.heal()
			l.advance(t, 50)
			l.stop()
			if l.errors.Load() != 0 {
				t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
			}
			c.agree()
			c.exact(l.sums.copy())
		})
	}
}

// R5: a flush of the former owner that arrives late writes nothing, and what was in it is counted by the next owner.
func TestNode_FlushesNothingAfterItLostThePartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	victim, other := c.nodes[0], c.nodes[1]
	key := victim.keyOf("k", 0)
	blocked, release := block("Flush")
	defer release()
	victim.faults.add(blocked)
	victim.faults.add(refuse(errDown, "Renew"))
	victim.add(key, 5)
	other.add(key, 6)
	eventually(t, func() error {
		if blocked.hits("Flush") == 0 {
			return errors.New("nothing is flushed")
		}
		return nil
	})
	c.usurped(victim, other)
	release()
	victim.faults.heal()
	c.agree()
	if got := victim.count.lost.Get(); got == 0 {
		t.Error("the lost partitions were not counted")
	}
	c.exact(map[string]int64{key: 11})
}

// A node that lost a partition while its flush was under way, and owns it again before that flush has ended, flushes it again
// only then.
func TestNode_FlushesAPartitionThatCameBackOnlyWhenItsLastFlushHasEnded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	victim, other := c.nodes[0], c.nodes[1]
	key := victim.keyOf("k", 0)
	blocked, release := block("Flush")
	defer release()
	victim.faults.add(blocked)
	cut := victim.faults.add(refuse(errDown, "Renew"))
	victim.add(key, 5)
	eventually(t, func() error {
		if blocked.hits("Flush") == 0 {
			return errors.New("nothing is flushed")
		}
		return nil
	})
	c.usurped(victim, other)
	victim.faults.remove(cut)
	c.agree()
	victim.add(key, 6)
	looked := victim.flusherLooks()
	eventually(t, looked)
	release()
	victim.faults.heal()
	c.exact(map[string]int64{key: 11})
}

// flusherLooks returns a check that is satisfied once the flusher has asked this node for batches.
func (i *instance) flusherLooks() func() error {
	i.oldest.Store(-1)
	i.flusher.Kick()
	return func() error {
		if i.oldest.Load() == -1 {
			return errors.New("the flusher has not looked")
		}
		return nil
	}
}

// A node that is still seen alive gets one more lease's time before its partitions are taken; one that is not does not.
func TestNode_ClaimsFromWhoIsGoneAtOnceAndFromWhoIsSeenAliveLater(t *testing.T) {
	t.Parallel()
	n, err := New((&cluster{t: t, store: openStore(t, sqliteURL(t)), log: &notebook{}}).config("n"))
	if err != nil {
		t.Fatal(err)
	}
	id := counter.Origin{7}
	w := &world{members: map[counter.Origin]*member{
		n.id: {alive: true},
		id:   {alive: true, NodeState: flush.NodeState{LeaseLeft: time.Millisecond}},
	}}
	expect := func(what string, owner counter.Origin, want bool) {
		t.Helper()
		if got := n.claimable(w, owner); got != want {
			t.Errorf("%s: claimable is %v", what, got)
		}
	}
	expect("nobody", counter.Origin{}, true)
	expect("closed", counter.Origin{9}, true)
	expect("itself", n.id, false)
	expect("with a lease", id, false)
	w.members[id].LeaseLeft = -time.Hour
	expect("expired, seen alive", id, false)
	n.expiredSince[id] = time.Now().Add(-n.cfg.LeaseTTL - time.Millisecond)
	expect("expired for a lease's time", id, true)
	n.expiredSince[id] = time.Now()
	w.members[id].alive = false
	expect("expired and gone", id, true)
	w.members[id].alive, w.members[id].LeaseLeft = true, time.Millisecond
	expect("renewed", id, false)
	if _, old := n.expiredSince[id]; old {
		t.Error("a renewal does not end the grace")
	}
}
