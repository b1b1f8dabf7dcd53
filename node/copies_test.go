package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// copyOf is a copy of operations first, first+1, ..., count of them.
func copyOf(persisted, first uint64, count int) *wire.Copy {
	c := &wire.Copy{Partition: 3, Persisted: persisted, First: first}
	for n := range count {
		c.Ops = append(c.Ops, counter.Op{Key: fmt.Sprint("k", first+uint64(n)), Delta: 1})
	}
	return c
}

// The store's view that a round looks at may be older than a process whose copies have come: they stay.
func TestCopies_StayUntilTheViewIsYoungerThanTheFirstOfThem(t *testing.T) {
	c, origin := newCopies(1<<20), counter.Origin{7}
	c.round()
	if held := c.hold(origin, copyOf(0, 1, 3)); held != 3 {
		t.Errorf("%d are held", held)
	}
	c.forget(origin)
	if left := c.left(origin)[3]; len(left.ops) != 3 || left.first != 1 {
		t.Errorf("a view that was asked for before leaves %+v", left)
	}
	c.round()
	c.forget(origin)
	if left := c.left(origin); len(left) != 0 || c.weight() != 0 {
		t.Errorf("a process that the store does not know leaves %+v, %d bytes", left, c.weight())
	}
}

func TestCopies_LetGoOfWhatTheStoreHasAndOfNoMore(t *testing.T) {
	c, origin := newCopies(1<<20), counter.Origin{7}
	c.hold(origin, copyOf(0, 1, 5))
	if held := c.hold(origin, copyOf(2, 6, 0)); held != 5 {
		t.Errorf("%d are held", held)
	}
	if left := c.left(origin)[3]; left.first != 3 || len(left.ops) != 3 || left.ops[0].Key != "k3" {
		t.Errorf("of five, of which the store has two, it holds %+v", left)
	}
	if held := c.hold(origin, copyOf(9, 10, 1)); held != 10 { // the store has overtaken
		t.Errorf("%d are held", held)
	}
	if left := c.left(origin)[3]; left.first != 10 || len(left.ops) != 1 {
		t.Errorf("it holds %+v", left)
	}
}

// R7: a second node that has no room for a copy does not hold it, so the caller is not told that it does.
func TestNode_AnswersReplicaOnlyWhenASecondNodeHoldsIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) {
		cfg.FlushInterval = 10 * time.Second
		cfg.StoreTimeout = 300 * time.Millisecond
	})
	n, second := c.nodes[0], c.nodes[1]
	room := func(bytes int) {
		second.copies.mu.Lock()
		defer second.copies.mu.Unlock()
		second.copies.limit = bytes
	}
	key := n.keyOf("k", 0)
	room(-1)
	if r, err := n.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Replica}); !errors.Is(err, ErrDurabilityTimeout) {
		t.Errorf("nobody holds it but this node: %+v, %v", r, err)
	}
	room(1 << 20)
	want := int64(1)
	eventually(t, func() error {
		want++
		_, err := n.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Replica})
		return err
	})
	if second.copies.weight() == 0 {
		t.Error("the second node holds nothing")
	}
	n.flusher.Kick()
	c.exact(map[string]int64{key: want})
}

// Who lives sends its own operations.
func TestCopies_OfALivingProcessAreNotResent(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	n, second := c.nodes[0], c.nodes[1]
	key := n.keyOf("k", 0)
	if _, err := n.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Replica}); err != nil {
		t.Fatal(err)
	}
	if second.copies.weight() == 0 {
		t.Error("the second node holds nothing")
	}
	rounds := second.faults.add(pass("Renew"))
	eventually(t, func() error {
		second.refresh()
		if rounds.hits("Renew") < 4 {
			return errors.New("too few rounds")
		}
		return nil
	})
	if strings.Contains(c.log.String(), "resending what a past process of this node left") {
		t.Error("they are resent")
	}
	n.flusher.Kick()
	c.exact(map[string]int64{key: 1})
}
