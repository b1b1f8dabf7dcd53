package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// R10: a node that is full refuses commands as well, and takes everything again once the store has what it held.
func TestNode_TakesEverythingAgainWhenTheStoreHasWhatFilledIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.MaxPendingBytes = 1 << 20 })
	n := c.nodes[0]
	held, release := block("Flush")
	n.faults.add(held)
	defer release()
	accepted := int64(0)
	for ; ; accepted++ {
		_, err := n.Increment(Increment{Key: fmt.Appendf(nil, "key-%d-%s", accepted, strings.Repeat("x", 400)), Delta: 1})
		if errors.Is(err, ErrOverloaded) {
			break
		}
		if err != nil || accepted > 10_000 {
			t.Fatalf("after %d: %v", accepted, err)
		}
	}
	if r, err := n.Change(setTo("k", 5)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a command: %+v, %v", r, err)
	}
	n.faults.heal()
	release()
	eventually(t, func() error {
		n.flusher.Kick()
		if pending, bytes := n.slots.pending.Load(), n.slots.bytes.Load(); pending != 0 || bytes != 0 {
			return fmt.Errorf("%d operations are pending, %d bytes", pending, bytes)
		}
		return nil
	})
	n.add("k", 1)
	n.changes(setTo("k", 5), 1, 4)
	c.exact(map[string]int64{"k": 5})
}

// R6: a node that stops before the store has everything leaves its log behind, and its process open: the next one resends.
func TestNode_LeavesItsLogWhenItStopsBeforeTheStoreHasEverything(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, withLogs(t, shortLeases))
	n := c.nodes[0]
	n.faults.add(refuse(errDown, "Flush"))
	n.add("k", 7)
	n.away.Store(true)
	if err := n.stop(); err != nil {
		t.Errorf("it ended with: %v", err)
	}
	c.start(n.cfg.Name)
	c.agree()
	c.exact(map[string]int64{"k": 7})
}

// A log that has failed holds nothing for certain: what the store did not get is told as lost.
func TestNode_SaysHowMuchIsLostWhenItStopsWithoutTheStoreAndItsLogHasFailed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, withLogs(t, func(cfg *Config) { cfg.DrainTimeout = 200 * time.Millisecond }))
	n := c.nodes[0]
	n.faults.add(refuse(errDown, "Flush"))
	n.scribe.fail(errors.New("no space left on device"))
	if _, err := n.Increment(Increment{Key: []byte("k"), Delta: 7, Durability: Memory}); err != nil {
		t.Fatal(err)
	}
	n.away.Store(true)
	if err := n.stop(); err == nil || !strings.Contains(err.Error(), "1 operations did not reach the store") {
		t.Errorf("it ended with: %v", err)
	}
}

// R7: who waits for the disk when the log fails is not told that the disk has it.
func TestScribe_TellsNobodyThatTheDiskHasWhatItCouldNotSync(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, store: openStore(t, sqliteURL(t)), log: &notebook{}}
	cfg := c.config("n")
	cfg.DataDir = t.TempDir()
	n, err := New(cfg) // it does not run: this test does what its writer would
	if err != nil {
		t.Fatal(err)
	}
	if err := n.openLog(); err != nil {
		t.Fatal(err)
	}
	sl := n.slots.of(counter.Hash("k"))
	sl.p.Acquire(1, nil, []counter.Origin{n.id}, nil)
	n.accepting.Store(true)
	n.lease.renewed(n.lease.now())
	defer n.lease.end()
	answered := make(chan error, 1)
	go func() {
		_, err := n.Increment(Increment{Key: []byte("k"), Delta: 1, Durability: Disk})
		answered <- err
	}()
	eventually(t, func() error {
		if !n.scribe.queued() {
			return errors.New("nothing waits for the disk")
		}
		return nil
	})
	if err := n.scribe.log.Close(); err != nil {
		t.Error(err)
	}
	n.scribe.write()
	if err := <-answered; !errors.Is(err, ErrDurabilityTimeout) {
		t.Errorf("answered %v", err)
	}
	if n.scribe.fault() == nil {
		t.Error("the log passes for a good one")
	}
}

// R9: an idempotency key that the owner cannot look up gets no number elsewhere either: it would hold up what comes behind it.
func TestCluster_RefusesAnIdempotencyKeyThatItsOwnerCannotLookUp(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout = 300 * time.Millisecond })
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	away := owner.faults.add(refuse(errDown, "Read"))
	if r, err := other.once(key, "a", 1); !errors.Is(err, ErrUnreachable) {
		t.Errorf("answered %+v, %v", r, err)
	}
	if _, err := other.Increment(Increment{Key: []byte(key), Delta: 2}); err != nil {
		t.Errorf("without a key: %v", err)
	}
	owner.faults.remove(away)
	eventually(t, func() error {
		_, err := other.once(key, "a", 1)
		return err
	})
	c.exact(map[string]int64{key: 3})
}
