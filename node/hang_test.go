package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// unplug takes the node off the network without closing a connection, as a pulled cable does: whoever talks to it waits.
func (i *instance) unplug() {
	i.t.Helper()
	i.away.Store(true)
	i.front.hang(true)
	_ = i.gossip.Close()
	i.faults.add(refuse(errDown))
}

// Calls that wait for an owner which hangs go on to the next one as soon as there is one, however long they may wait.
func TestCluster_SendsWhatWaitsForAHungOwnerToTheNextOne(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		shortLeases(cfg)
		cfg.OwnerTimeout = 15 * time.Second
	})
	victim, other := c.nodes[0], c.nodes[1]
	key, cold := victim.keyOf("k", 0), victim.keyOf("cold", 0)
	other.add(key, 1)
	c.exact(map[string]int64{key: 1})
	victim.unplug()
	began := time.Now()
	done := make(chan error, 6)
	for range 3 {
		go func() {
			_, err := other.Increment(Increment{Key: []byte(key), Delta: 1})
			done <- err
		}()
		go func() {
			_, err := other.Total([]byte(cold))
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > shortLease+4*time.Second {
		t.Errorf("they waited for %v, with a lease of %v", took, shortLease)
	}
	c.agree()
	c.exact(map[string]int64{key: 4})
	victim.cancel()
}

// An increment was answered as accepted, since its owner did not answer; then the owner finds that it leaves the range. It is not
// counted, and that is not kept secret.
func TestCluster_ReportsAnAcceptedIncrementThatLeavesTheRange(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout = 100 * time.Millisecond })
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("full", 0)
	const most = 1<<63 - 1
	owner.add(key, most)
	other.total(key) // the connection stands
	owner.front.hang(true)
	if r, err := other.Increment(Increment{Key: []byte(key), Delta: 1}); err != nil || !r.Later {
		t.Fatalf("%+v, %v", r, err)
	}
	owner.front.hang(false)
	c.exact(map[string]int64{key: most})
	if got := other.count.unreported.Get(); got != 1 {
		t.Errorf("%d were counted", got)
	}
	if !strings.Contains(c.log.String(), "would leave the range of a 64-bit counter and was not counted") {
		t.Error("it is not logged")
	}
}

// An owner that doubts its lease says so to the others too.
func TestCluster_TellsAtEveryNodeThatAnOwnerDoubtsItsLease(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	owner := c.nodes[0]
	key := owner.keyOf("k", 0)
	owner.add(key, 1)
	refused := owner.faults.add(refuse(errDown, "Renew"))
	eventually(t, func() error { // a renewal under way would end the doubt
		owner.refresh()
		if refused.hits("Renew") == 0 {
			return errors.New("no renewal was refused")
		}
		return nil
	})
	owner.lease.till.Store(0)
	owner.lease.doubt.Store(true)
	for _, i := range c.nodes {
		if r, err := i.Total([]byte(key)); err != nil || !r.Stale || r.Value != 1 {
			t.Errorf("%s: total %+v, %v", i.cfg.Name, r, err)
		}
	}
	for n, i := range c.nodes {
		r, err := i.Increment(Increment{Key: []byte(key), Delta: 1})
		if err != nil || !r.Later || i.count.later.Get() != 1 {
			t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
		}
		// What the store has is beyond doubt.
		r, err = i.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Database})
		if err != nil || r.Later {
			t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
		}
		if got, want := c.stored(key)[key], int64(2*n+3); got != want {
			t.Errorf("the store has %d, want %d", got, want)
		}
	}
	owner.faults.heal()
	owner.refresh()
	c.exact(map[string]int64{key: 5})
}

// Without the store an owner cannot tell totals that it does not know; those that it knows it tells.
func TestCluster_ReadsOnlyWhatIsInMemoryWhenTheStoreCannotBeRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout = 200 * time.Millisecond })
	owner := c.nodes[0]
	known := owner.keyOf("known", 0)
	if got := owner.addReturn(known, 7); got != 7 {
		t.Errorf("total %d", got)
	}
	owner.faults.add(refuse(errDown, "Read"))
	want := map[string]int64{known: 7}
	for n, i := range c.nodes {
		cold := owner.keyOf("cold", n)
		if got := i.total(known); got != 7 {
			t.Errorf("%s: total %d", i.cfg.Name, got)
		}
		if _, err := i.Total([]byte(cold)); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", i.cfg.Name, err)
		}
		r, err := i.Increment(Increment{Key: []byte(cold), Delta: 1, Return: true})
		if err != nil || r.HasTotal || r.Later {
			t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
		}
		want[cold] = 1
	}
	owner.faults.heal()
	c.exact(want)
}

// While it drains, a node is not ready but serves, as one that owns nothing.
func TestNode_ServesWhileItDrains(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	leaver := c.nodes[0]
	key := leaver.keyOf("k", 0)
	leaver.add(key, 1)
	leaver.Drain(t.Context())
	if err := leaver.Ready(); !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "draining") {
		t.Errorf("ready: %v", err)
	}
	if owned := leaver.tally().owned; owned != 0 {
		t.Errorf("it owns %d partitions", owned)
	}
	leaver.add(key, 1)
	if got := leaver.total(key); got != 2 {
		t.Errorf("total %d", got)
	}
	leaver.Drain(t.Context()) // again: returns at once
	leaver.leave()
	c.agree()
	c.exact(map[string]int64{key: 2})
}

// What could not be flushed in time is not passed over in silence.
func TestNode_SaysHowMuchIsLostWhenItStopsWithoutTheStore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.DrainTimeout = 200 * time.Millisecond })
	n := c.nodes[0]
	n.faults.add(refuse(errDown))
	for k := range 3 {
		n.add(fmt.Sprint("k", k), 1)
	}
	n.away.Store(true)
	if err := n.stop(); err == nil || !strings.Contains(err.Error(), "3 operations did not reach the store") {
		t.Errorf("it ended with: %v", err)
	}
}
