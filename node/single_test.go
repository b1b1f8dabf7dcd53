package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"
)

func TestNode_CountsAndTellsTotalsWhenAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	for _, delta := range []int64{3, -5, 0, 40} {
		n.add("page:1", delta)
	}
	if got := n.addReturn("page:1", 4); got != 42 {
		t.Errorf("the total just after the increment is %d", got)
	}
	if got := n.total("page:1"); got != 42 {
		t.Errorf("the total is %d", got)
	}
	if got := n.total("nobody counted this"); got != 0 {
		t.Errorf("an unknown counter has %d", got)
	}
	c.exact(map[string]int64{"page:1": 42})
}

func TestNode_TellsWhatTheStoreHasBesideTheTotal(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	n := c.nodes[0]
	n.add("k", 7)
	d, err := n.Counter([]byte("k"))
	if err != nil || d.Value != 7 || !d.HasPersisted || d.Persisted != 0 {
		t.Errorf("before a flush: %+v, %v", d, err)
	}
	n.flusher.Kick()
	eventually(t, func() error {
		if d, err = n.Counter([]byte("k")); err != nil || d.Persisted != 7 {
			return fmt.Errorf("after a flush: %+v, %v", d, err)
		}
		return nil
	})
	n.faults.add(refuse(errCrashed, "Read"))
	if d, err = n.Counter([]byte("k")); err != nil || d.Value != 7 || d.HasPersisted {
		t.Errorf("without the store: %+v, %v", d, err)
	}
}

func TestNode_TellsTheTotalOfACounterThatOnlyTheStoreKnows(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.nodes[0].add("increment first", 5)
	c.nodes[0].add("read first", 6)
	c.nodes[0].leave()
	n := c.start("n1")
	c.agree()
	if got := n.addReturn("increment first", 10); got != 15 {
		t.Errorf("the total just after the increment is %d", got)
	}
	if got := n.total("read first"); got != 6 {
		t.Errorf("the total is %d", got)
	}
	c.exact(map[string]int64{"increment first": 15, "read first": 6})
}

// R8: whether the value that was read contains the flush under way is told by the ledger rows read with it.
func TestNode_TellsTheRightTotalWhenItIsReadDuringAFlush(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"before it is applied": false, "after it is applied": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 1, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
			n := c.nodes[0]
			for _, key := range []string{"a", "b"} { // what an earlier process left
				n.add(key, 5)
			}
			n.leave()
			n = c.start("n1")
			c.agree()
			gate := make(chan struct{})
			open := sync.OnceFunc(func() { close(gate) })
			defer open()
			held := n.faults.add(&fault{methods: []string{"Flush"}, do: func(_ context.Context, apply func() error) error {
				if !applied {
					<-gate
				}
				err := apply()
				<-gate
				return err
			}})
			n.add("a", 1) // the total is not asked for: nobody knows it yet
			n.flusher.Kick()
			eventually(t, func() error {
				if held.hits("Flush") == 0 || (applied && c.stored("a")["a"] != 6) {
					return errors.New("nothing is flushed")
				}
				return nil
			})
			n.add("a", 10)
			n.add("b", 20)
			if a, b := n.total("a"), n.total("b"); a != 16 || b != 25 {
				t.Errorf("totals %d and %d, want 16 and 25", a, b)
			}
			open()
			n.faults.heal()
			eventually(t, func() error {
				n.flusher.Kick()
				if n.Cluster().Pending != 0 {
					return errors.New("not flushed")
				}
				return nil
			})
			c.exact(map[string]int64{"a": 16, "b": 25})
		})
	}
}

func TestNode_CountsWithoutATotalWhenTheStoreCannotBeRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	n.faults.add(refuse(errCrashed, "Read"))
	r, err := n.Increment(Increment{Key: []byte("k"), Delta: 2, Return: true})
	if err != nil || r.HasTotal || r.Later {
		t.Errorf("%+v, %v", r, err)
	}
	if n.count.loadFailures.Get() == 0 {
		t.Error("the failed read was not counted")
	}
	n.faults.heal()
	c.exact(map[string]int64{"k": 2})
}

func TestNode_RefusesWhatLeavesTheRange(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	for key, end := range map[string]int64{"high": math.MaxInt64, "low": math.MinInt64} {
		step := int64(1)
		if end < 0 {
			step = -1
		}
		if got := n.addReturn(key, end); got != end {
			t.Errorf("%s: %d", key, got)
		}
		if _, err := n.Increment(Increment{Key: []byte(key), Delta: step}); !errors.Is(err, ErrOutOfRange) {
			t.Errorf("%s: one more: %v", key, err)
		}
		if got := n.addReturn(key, -step); got != end-step {
			t.Errorf("%s: back: %d", key, got)
		}
	}
	if got := n.count.outOfRange.Get(); got != 2 {
		t.Errorf("counted %d refusals", got)
	}
	c.exact(map[string]int64{"high": math.MaxInt64 - 1, "low": math.MinInt64 + 1})
}

func TestNode_RefusesADurabilityThatItDoesNotHave(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	for d, want := range map[Durability]error{
		Disk: ErrDurabilityUnavailable, Replica: ErrTooFewNodes, Database + 1: ErrDurabilityUnavailable,
	} {
		if _, err := c.nodes[0].Increment(Increment{Key: []byte("k"), Delta: 1, Durability: d}); !errors.Is(err, want) {
			t.Errorf("durability %d: %v", d, err)
		}
	}
	c.exact(map[string]int64{"k": 0})
}

func TestNode_RefusesEverythingBeforeItJoinedAndAfterItLeft(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	gone := c.nodes[0]
	gone.leave()
	fresh, err := New(c.config("fresh"))
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*Node{"before": fresh, "after": gone.Node} {
		_, increment := n.Increment(Increment{Key: []byte("k"), Delta: 1})
		_, total := n.Total([]byte("k"))
		_, detail := n.Counter([]byte("k"))
		for _, err := range []error{increment, total, detail, n.Ready()} {
			if !errors.Is(err, ErrNotReady) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if s := fresh.Cluster(); len(s.Members) != 0 || s.Unowned != s.Partitions {
		t.Errorf("a node that has not joined knows %+v", s)
	}
}

// An increment that came before the node began to leave, but was not accepted yet, is refused: nobody would wait for it.
func TestNode_AcceptsNothingOnceItLeaves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	blocked, release := block("Read")
	n.faults.add(blocked)
	defer release()
	done := make(chan error, 1)
	go func() {
		_, err := n.Increment(Increment{Key: []byte("k"), Delta: 1, Return: true})
		done <- err
	}()
	eventually(t, func() error {
		if blocked.hits("Read") == 0 {
			return errors.New("the total is not read")
		}
		return nil
	})
	n.accepting.Store(false)
	release()
	if err := <-done; !errors.Is(err, ErrNotReady) {
		t.Errorf("the answer is %v", err)
	}
	if got := n.Cluster().Pending; got != 0 {
		t.Errorf("%d operations are pending", got)
	}
}

// R10: refused before acceptance, and what was accepted is counted.
func TestNode_RefusesBeforeAcceptanceWhenTooMuchIsPending(t *testing.T) {
	t.Parallel()
	const most = 1000
	c := newCluster(t, 1, func(cfg *Config) { cfg.MaxPending = most })
	n := c.nodes[0]
	blocked, release := block("Flush")
	n.faults.add(blocked)
	defer release()
	want := make(map[string]int64)
	for i := range most {
		key := fmt.Sprintf("k%d", i)
		n.add(key, 1)
		want[key] = 1
	}
	for range 3 {
		if _, err := n.Increment(Increment{Key: []byte("k0"), Delta: 1}); !errors.Is(err, ErrOverloaded) {
			t.Fatalf("one more than %d: %v", most, err)
		}
	}
	if got := n.count.overloaded.Get(); got != 3 {
		t.Errorf("counted %d refusals", got)
	}
	n.faults.heal()
	release()
	c.exact(want)
	n.add("k0", 1)
	want["k0"]++
	c.exact(want)
}
