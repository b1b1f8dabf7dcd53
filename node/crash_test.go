package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func shortLeases(cfg *Config) {
	cfg.LeaseTTL = shortLease
	cfg.DrainTimeout = time.Second
}

// R8: an increment that was answered, forwarded by a node that lives, is in the first total that anybody is told after the
// crash of its owner, though nothing of it had reached the store.
func TestCluster_TellsNoTotalWithoutWhatWasAnsweredWhenAnOwnerCrashes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		shortLeases(cfg)
		cfg.FlushInterval = 10 * time.Second
		cfg.OwnerTimeout = 50 * time.Millisecond
	})
	victim, alive := c.nodes[0], c.nodes[1:]
	want := make(map[string]int64)
	for k := range 20 {
		key := victim.keyOf("k", k)
		for n, i := range alive {
			eventually(t, func() error { // a short owner timeout may answer Later: what counts here is what was answered as counted
				r, err := i.Increment(Increment{Key: []byte(key), Delta: int64(n) + 1})
				want[key] += int64(n) + 1
				if err != nil {
					t.Fatal(err)
				}
				if r.Later {
					return errors.New("counted later")
				}
				return nil
			})
		}
	}
	if got := c.stored(victim.keyOf("k", 0)); len(got) != 0 {
		t.Fatalf("something has been flushed: %v", got)
	}
	for _, i := range alive {
		i.front.hang(true) // what one of them holds does not reach the other for now
	}
	victim.crash()
	c.usurped(victim, alive...)
	for key := range want {
		for _, i := range alive {
			if r, err := i.Total([]byte(key)); err == nil && !r.Stale {
				t.Errorf("%s tells %+v of %s before it has what the other one holds", i.cfg.Name, r, key)
			}
		}
	}
	for _, i := range alive {
		i.front.hang(false)
	}
	for key, sum := range want {
		eventually(t, func() error {
			r, err := alive[0].Total([]byte(key))
			if err == nil && r.Stale {
				err = errors.New("the total is told as stale")
			}
			if err == nil && r.Value != sum {
				t.Errorf("the first total of %s after the crash is %+v, answered were %d", key, r, sum)
			}
			return err
		})
	}
	c.agree()
	for _, i := range c.live() {
		i.flusher.Kick()
	}
	c.exact(want)
}

func TestCluster_CountsAgainWithinTheLeaseAndASecondWhenANodeCrashes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, shortLeases)
	r := newRotation(c.nodes[1:]...)
	l := c.newLoad(2, 31, r.pick)
	l.advance(t, 50)
	victim := c.nodes[0]
	var keys []string
	for k := range 5 {
		keys = append(keys, victim.keyOf("after", k))
	}
	victim.crash()
	began := time.Now()
	for _, key := range keys {
		c.nodes[1].add(key, 1)
		l.sums.add(key, 1)
		if got := c.nodes[1].total(key); got != 1 {
			t.Errorf("total %d of %s", got, key)
		}
	}
	took := time.Since(began)
	t.Logf("counting again %v after the crash, with a lease of %v", took, shortLease)
	if took > shortLease+time.Second+time.Second { // one more for a busy machine
		t.Error("that is too long")
	}
	l.advance(t, 50)
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	c.agree()
	c.exact(l.sums.copy())
}

// What nobody but the crashed node had is lost at durability memory; what was answered at durability database is not.
func TestCluster_LosesNothingThatWasAnsweredAtDurabilityDatabaseWhenItsNodeCrashes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	victim := c.nodes[0]
	own, foreign := victim.keyOf("own", 0), c.nodes[1].keyOf("foreign", 0)
	for _, key := range []string{own, foreign} {
		if _, err := victim.Increment(Increment{Key: []byte(key), Delta: 9, Durability: Database}); err != nil {
			t.Fatal(err)
		}
	}
	victim.crash()
	c.agree()
	c.exact(map[string]int64{own: 9, foreign: 9})
}

func TestNode_WaitsForTheLeaseOfItsPredecessorThatCrashed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	key := c.nodes[0].keyOf("k", 0)
	c.nodes[0].add(key, 4)
	c.exact(map[string]int64{key: 4})
	c.nodes[0].crash()
	again := c.start("n1")
	c.agree()
	if !strings.Contains(c.log.String(), "waiting for the lease of the last process with this name") {
		t.Error("it did not wait")
	}
	if again.id == c.nodes[0].id {
		t.Error("a process' id was used again")
	}
	again.add(key, 1)
	c.exact(map[string]int64{key: 5})
}

func TestNode_DoesNotStartUnderTheNameOfALiveNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.LeaseTTL = time.Second })
	second := c.start("n1")
	second.away.Store(true)
	<-second.done
	if second.err == nil || !strings.Contains(second.err.Error(), `a live node is named "n1" already`) {
		t.Errorf("it ended with: %v", second.err)
	}
	c.agree()
	c.nodes[0].add("k", 1)
	c.exact(map[string]int64{"k": 1})
}

func TestNode_GivesUpAtOnceWhenItIsStoppedWhileItWaitsForItsName(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	second := c.start("n1")
	second.away.Store(true)
	eventually(t, func() error {
		if !strings.Contains(c.log.String(), "waiting for the lease") {
			return errors.New("it does not wait")
		}
		return nil
	})
	if err := second.stop(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with: %v", err)
	}
}

// The database goes away between the opening of the store and the registration.
func TestNode_WaitsToRegisterInAStoreThatCannotBeReached(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	cfg := c.config("other")
	broken := newFaultStore(cfg.Store)
	down := broken.add(refuse(refused, "Register"))
	cfg.Store = broken
	other := c.startWith(cfg)
	other.away.Store(true)
	eventually(t, func() error {
		if down.hits("Register") < 2 || !strings.Contains(c.log.String(), "waiting for the database, to register in it") {
			return errors.New("it does not wait")
		}
		return nil
	})
	if err := other.Ready(); !errors.Is(err, ErrNotReady) {
		t.Errorf("ready: %v", err)
	}
	broken.heal()
	other.away.Store(false)
	c.agree()

	broken.add(refuse(refused, "Register"))
	cfg.Name, cfg.StartTimeout = "third", time.Millisecond
	n, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "register in the store") {
		t.Errorf("beyond its time: %v", err)
	}
}

func TestNode_SaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	for what, c2 := range map[string]struct {
		want string
		tune func(*Config)
	}{
		"port of another node":   {"listen for other nodes on", func(cfg *Config) { cfg.PeerListen = c.nodes[0].PeerAddr() }},
		"gossip port of another": {"start gossip on", func(cfg *Config) { cfg.GossipAddr = c.nodes[0].Cluster().Members[0].GossipAddr }},
		"no such seed host":      {"gossip", func(cfg *Config) { cfg.Join = []string{"no port"} }},
		"store":                  {"register in the store", func(cfg *Config) {}},
	} {
		cfg := c.config("other")
		c2.tune(&cfg)
		broken := newFaultStore(cfg.Store)
		broken.add(refuse(errCrashed, "Register"))
		cfg.Store = broken
		n, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c2.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The store says that this process is closed: it must not count on, and says so.
func TestNode_EndsWhenItWasClosedInTheStore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	victim := c.nodes[0]
	victim.away.Store(true)
	if err := c.store.CloseNode(context.Background(), victim.id, false); err != nil {
		t.Fatal(err)
	}
	select {
	case <-victim.done:
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if victim.err == nil || !strings.Contains(victim.err.Error(), "closed in the store") {
		t.Errorf("it ended with: %v", victim.err)
	}
	c.agree()
	key := fmt.Sprint("k", 1)
	c.nodes[1].add(key, 1)
	c.exact(map[string]int64{key: 1})
}
