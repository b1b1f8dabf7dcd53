package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// R2: the owner has applied what it got no chance to answer; it arrives again, and is counted once.
func TestCluster_CountsOnceWhenTheAnswerToAForwardedIncrementIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	other.add(key, 1)
	owner.front.dropReplies(true)
	done := make(chan error, 1)
	go func() {
		r, err := other.Increment(Increment{Key: []byte(key), Delta: 10, Return: true})
		if err == nil && (r.Later || r.Total != 11) {
			err = fmt.Errorf("%+v", r)
		}
		done <- err
	}()
	eventually(t, func() error {
		if n := owner.front.replies(); n < 3 {
			return fmt.Errorf("%d answers were dropped", n)
		}
		return nil
	})
	if got := owner.total(key); got != 11 {
		t.Errorf("the owner has %d after the same increment came several times", got)
	}
	owner.front.dropReplies(false)
	if err := <-done; err != nil {
		t.Errorf("the caller got %v", err)
	}
	owner.flusher.Kick()
	c.exact(map[string]int64{key: 11})
}

// The owner that applied it and whose answers are lost hands the partition over in order: the next one starts from a ledger that
// contains it.
func TestCluster_CountsOnceWhenTheAnswerIsLostAndThePartitionMoves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	owner, other := c.nodes[0], c.nodes[1]
	want := map[string]int64{}
	owner.front.dropReplies(true)
	for k := range 10 {
		key := owner.keyOf("k", k)
		want[key] = int64(k) + 1
		go func() { _, _ = other.Increment(Increment{Key: []byte(key), Delta: int64(k) + 1}) }()
	}
	for key, sum := range want {
		eventually(t, func() error {
			if got := owner.total(key); got != sum {
				return fmt.Errorf("the owner has %d of %s", got, key)
			}
			return nil
		})
	}
	owner.leave()
	c.agree()
	c.exact(want)
}

// The owner that applied it crashes without having flushed it: it comes again to the next one, whose ledger does not contain it.
func TestCluster_CountsOnceWhenTheAnswerIsLostAndTheOwnerCrashes(t *testing.T) {
	t.Parallel()
	for name, interval := range map[string]time.Duration{"before it flushed": 10 * time.Second, "after it flushed": 20 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 3, func(cfg *Config) {
				shortLeases(cfg)
				cfg.FlushInterval = interval
			})
			owner, other := c.nodes[0], c.nodes[1]
			key := owner.keyOf("k", 0)
			owner.front.dropReplies(true)
			done := make(chan error, 1)
			go func() {
				_, err := other.Increment(Increment{Key: []byte(key), Delta: 10})
				done <- err
			}()
			eventually(t, func() error {
				if got := owner.total(key); got != 10 {
					return fmt.Errorf("the owner has %d", got)
				}
				if interval < time.Second && c.stored(key)[key] != 10 {
					return errors.New("it is not flushed")
				}
				return nil
			})
			owner.crash()
			if err := <-done; err != nil {
				t.Errorf("the caller got %v", err)
			}
			c.agree()
			for _, i := range c.live() {
				i.flusher.Kick()
			}
			c.exact(map[string]int64{key: 10})
		})
	}
}

// An owner that does not answer at all: its callers are told that they will be counted later, and they are.
func TestCluster_AnswersLaterWhenTheOwnerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout = 100 * time.Millisecond })
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	other.add(key, 1)
	owner.front.hang(true)
	for _, want := range []bool{true, false} { // with and without a total wanted
		r, err := other.Increment(Increment{Key: []byte(key), Delta: 1, Return: want})
		if err != nil || !r.Later || r.HasTotal {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, err := other.Total([]byte(key)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a total without its owner: %v", err)
	}
	if got := other.count.later.Get(); got != 2 {
		t.Errorf("%d were counted as later", got)
	}
	owner.front.hang(false)
	eventually(t, func() error {
		if got := owner.total(key); got != 3 {
			return fmt.Errorf("the owner has %d", got)
		}
		return nil
	})
	c.exact(map[string]int64{key: 3})
}

// A flush whose outcome is unknown, though it was applied, is resolved from the ledger.
func TestNode_CountsOnceWhenTheOutcomeOfAFlushIsUnknown(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	l := c.newLoad(4, 40, always(c.nodes...))
	for range 3 {
		l.advance(t, 50)
		var lost []*fault
		for _, i := range c.nodes {
			lost = append(lost, i.faults.add(lose("Flush")))
		}
		eventually(t, func() error {
			for _, f := range lost {
				if f.hits("Flush") < 2 {
					return errors.New("no reply was lost")
				}
			}
			return nil
		})
		for _, i := range c.nodes {
			i.faults.heal()
		}
	}
	l.stop()
	if l.errors.Load() != 0 || l.later.Load() != 0 {
		t.Errorf("%d errors, %d counted later; the first error: %v", l.errors.Load(), l.later.Load(), l.fault)
	}
	c.exact(l.sums.copy())
	for _, i := range c.nodes {
		if i.count.unknowns.Get() == 0 || i.count.flushRetries.Get() == 0 || i.count.conflicts.Get() != 0 {
			t.Errorf("%s: %d unknown outcomes, %d retries, %d conflicts", i.cfg.Name,
				i.count.unknowns.Get(), i.count.flushRetries.Get(), i.count.conflicts.Get())
		}
	}
}

// Every reply of the store may be lost at each step of a life: joining, claiming, moving, leaving.
func TestCluster_CountsExactlyWhenTheStoresRepliesAreLostAtEachStep(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.LeaseTTL = 3 * shortLease })
	l := c.newLoad(2, 40, always(c.nodes...))
	l.advance(t, 50)
	for _, i := range c.nodes {
		i.faults.add(flaky())
	}
	cfg := c.config("n3")
	inner := newFaultStore(cfg.Store)
	inner.add(flaky())
	cfg.Store = inner
	third := c.startWith(cfg)
	c.agree()
	l.advance(t, 50)
	third.away.Store(true)
	if err := third.stop(); err != nil {
		t.Errorf("n3 left with: %v", err)
	}
	c.agree()
	l.stop()
	if l.errors.Load() != 0 {
		t.Errorf("%d errors; the first: %v", l.errors.Load(), l.fault)
	}
	for _, i := range c.nodes {
		i.faults.heal()
	}
	c.exact(l.sums.copy())
}

// flaky fails every third call of each kind but Register, whose failure ends a start: in turn before and after it was applied.
func flaky() *fault {
	f := &fault{methods: []string{"Renew", "SetDraining", "Claim", "Adopt", "Flush", "Read", "CloseNode"}}
	var turn atomic.Int64
	f.do = func(_ context.Context, apply func() error) error {
		switch turn.Add(1) % 6 {
		case 1:
			return &flush.RetryError{Err: errors.New("refused")}
		case 4:
			_ = apply()
			return errLost
		}
		return apply()
	}
	return f
}
