package node

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// R8: a lease that was good when the read began says nothing about the total that came of it: the partition may have had another
// owner meanwhile.
func TestCluster_TellsATotalAsStaleWhenTheLeaseEndedWhileItWasRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	owner := c.nodes[0]
	for n, at := range c.nodes {
		key := owner.keyOf("cold", n)
		held, release := block("Read")
		owner.faults.add(held)
		type told struct {
			r   Reading
			err error
		}
		answer := make(chan told, 1)
		go func() {
			r, err := at.Total([]byte(key))
			answer <- told{r, err}
		}()
		eventually(t, func() error {
			if held.hits("Read") == 0 {
				return errors.New("nothing is read")
			}
			return nil
		})
		refused := owner.faults.add(refuse(errDown, "Renew"))
		eventually(t, func() error { // a renewal under way would end the doubt
			owner.refresh()
			if refused.hits("Renew") == 0 {
				return errors.New("no renewal was refused")
			}
			return nil
		})
		owner.lease.revoke()
		release()
		if a := <-answer; a.err != nil || !a.r.Stale {
			t.Errorf("%s: %+v", at.cfg.Name, a)
		}
		owner.faults.heal()
		eventually(t, func() error {
			owner.refresh()
			if !owner.lease.trusted() {
				return errors.New("the lease is in doubt")
			}
			return nil
		})
	}
}

// R8: a node that comes back after its lease ran out must not trust the new one before it has given up what it lost meanwhile: it would
// tell totals of it.
func TestNode_TrustsALeaseAgainOnlyWhenItHasGivenUpWhatItLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	victim, other := c.nodes[0], c.nodes[1]
	var had []uint32
	for p := range testSettings().Partitions {
		if _, _, owning := victim.ownership(p); owning {
			had = append(had, p)
		}
	}
	if len(had) < 2 {
		t.Fatalf("it owns %d partitions", len(had))
	}
	first, last := had[0], &victim.slots.all[had[len(had)-1]]
	victim.front.hang(true) // it is to hear of the new owner from the store alone
	defer victim.front.hang(false)
	victim.faults.add(refuse(errDown))
	eventually(t, func() error {
		for _, o := range c.owners() {
			if o.Owner != other.id {
				return errors.New("it owns something still")
			}
		}
		return nil
	})
	locked := make(chan struct{})
	var once sync.Once
	back := &fault{methods: []string{"Renew"}, do: func(_ context.Context, apply func() error) error {
		err := apply()
		if err == nil {
			once.Do(func() {
				last.mu.Lock() // the round cannot give this one up
				close(locked)
			})
		}
		return err
	}}
	victim.faults.add(back)
	<-locked
	unlock := sync.OnceFunc(last.mu.Unlock)
	defer unlock()
	eventually(t, func() error {
		if _, _, owning := victim.ownership(first); owning {
			return errors.New("it has not begun to give up what it lost")
		}
		return nil
	})
	if last.p.Phase() == counter.Following { // the lock is ours
		t.Error("the last one is given up although its lock is held")
	}
	if victim.lease.trusted() || victim.lease.probably() {
		t.Error("it trusts its lease, and tells totals of what another node owns")
	}
	unlock()
	victim.front.hang(false)
	victim.faults.heal()
	c.agree()
}
