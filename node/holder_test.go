package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// replicaOf counts at durability replica at a node, in a partition that owner owns, and returns the key.
func (i *instance) replicaOf(owner *instance, delta int64) string {
	i.t.Helper()
	key := owner.keyOf("r", 0)
	if _, err := i.Increment(Increment{Key: []byte(key), Delta: delta, Durability: Replica}); err != nil {
		i.t.Fatal(err)
	}
	return key
}

// flushesLate keeps what is counted out of the store for longer than a lease, and leaves a node the time to wait for one when it goes.
func flushesLate(cfg *Config) {
	shortLeases(cfg)
	cfg.FlushInterval, cfg.DrainTimeout = 10*time.Second, 8*time.Second
}

// R7: origin and owner hold an increment of durability replica. The origin is lost, and the owner leaves in order before its next flush
// with nobody to follow it: the store gets it first.
func TestNode_FlushesWhatOthersSentBeforeItLeavesAsTheLast(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, flushesLate)
	origin, owner := c.nodes[0], c.nodes[1]
	key := origin.replicaOf(owner, 3)
	origin.crash()
	<-origin.done
	owner.leave()
	if has := c.stored(key)[key]; has != 3 {
		t.Errorf("the store has %d of what was answered, 3", has)
	}
}

// R7: a holder of copies of a lost node does not leave before it has stood in for it.
func TestNode_StandsInForALostNodeBeforeItLeaves(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, flushesLate)
	origin := c.nodes[0]
	key := origin.replicaOf(origin, 3)
	var holder *instance
	for _, i := range c.nodes[1:] {
		if i.copies.weight() > 0 {
			holder = i
		}
	}
	if holder == nil {
		t.Fatal("nobody holds a copy")
	}
	origin.crash()
	holder.leave()
	<-origin.done
	c.exact(map[string]int64{key: 3})
}

// R7: when the holder goes, another one gets everything, also of partitions where nothing new comes; and the store has nothing of it.
func TestCopier_GivesANewHolderEverything(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, flushesLate)
	origin := c.nodes[0]
	key := origin.replicaOf(origin, 3)
	first, second := c.nodes[1], c.nodes[2]
	if first.copies.weight() == 0 {
		first, second = second, first
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		first.Drain(t.Context())
	}()
	eventually(t, func() error {
		if len(second.copies.left(origin.id)) == 0 {
			return errors.New("the next holder has nothing")
		}
		return nil
	})
	<-gone
	origin.flusher.Kick()
	eventually(t, func() error { // R10: the former one is told, too, although it lives
		for _, i := range []*instance{first, second} {
			if w := i.copies.weight(); w != 0 {
				return fmt.Errorf("%s still holds %d bytes", i.cfg.Name, w)
			}
		}
		return nil
	})
	c.exact(map[string]int64{key: 3})
}

// R6: a store that went back lacks what the holder let go; it does not say that it holds that, and takes it again.
func TestCopies_OfAStoreThatWentBackAreHeldFromTheFirstOn(t *testing.T) {
	c, origin := newCopies(1<<20), counter.Origin{7}
	c.hold(origin, copyOf(0, 1, 9))
	c.hold(origin, copyOf(6, 10, 1)) // 7 to 10 are held
	if held := c.hold(origin, copyOf(2, 11, 1)); held != 2 {
		t.Errorf("%d are held behind 2, but 3 to 6 are not", held)
	}
	if held := c.hold(origin, copyOf(2, 3, 2)); held != 2 {
		t.Errorf("%d are held, but 5 and 6 are not", held)
	}
	if held := c.hold(origin, copyOf(2, 3, 9)); held != 11 {
		t.Errorf("%d are held", held)
	}
	left := c.left(origin)[3]
	if left.first != 3 || len(left.ops) != 9 {
		t.Fatalf("it holds %d from %d on", len(left.ops), left.first)
	}
	for i, op := range left.ops {
		if op.Key != fmt.Sprint("k", 3+i) {
			t.Errorf("operation %d is %s", 3+i, op.Key)
		}
	}
	c.hold(origin, copyOf(11, 12, 0))
	if held := c.hold(origin, copyOf(4, 5, 3)); held != 7 { // nothing is held, so what comes is the beginning
		t.Errorf("%d are held", held)
	}
	left = c.left(origin)[3]
	if want := weigh(left.ops); c.weight() != want {
		t.Errorf("%d bytes are counted, %d held", c.weight(), want)
	}
}

// What a lost node's copies cannot be counted behind is told once. They stay: its log may bring what is missing.
func TestCopies_WaitWhenTheStoreLacksWhatComesBeforeThem(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	n := c.nodes[0]
	gone := counter.Origin{1, 2, 3}
	n.copies.round()
	n.copies.hold(gone, copyOf(6, 7, 2))
	try := func(known bool, applied uint64) *ghostPart {
		g := &ghost{node: n.Node, origin: gone, close: func() error { return nil }}
		g.add(counter.Restore(3, gone, 7, n.copies.left(gone)[3].ops))
		part := g.parts[0]
		part.gap = known
		part.LearnStored(n.id, 1)
		if _, ok := part.Next(10); !ok {
			t.Fatal("it has nothing to send")
		}
		if err := g.take(part, &counter.Answer{Partition: 3, Code: counter.OK, Epoch: 1, Owner: n.id, Applied: applied, Persisted: applied}); err != nil {
			t.Errorf("this node is to stop: %v", err)
		}
		n.copies.settle(gone, g.parts)
		return part
	}
	if part := try(false, 2); !part.done || !part.gap || n.copies.waits(gone) {
		t.Errorf("done %v, gap %v; something waits: %v", part.done, part.gap, n.copies.waits(gone))
	}
	if left := n.copies.left(gone)[3]; len(left.ops) != 2 || !left.torn {
		t.Fatalf("%+v is left", left)
	}
	try(true, 2)
	if said := strings.Count(c.log.String(), "copies of a past process cannot be counted"); said != 1 {
		t.Errorf("it was said %d times", said)
	}
	if part := try(true, 8); !part.done || part.gap || n.copies.weight() != 0 {
		t.Errorf("the log has brought the rest: done %v, gap %v, %d bytes held", part.done, part.gap, n.copies.weight())
	}
}

// Nobody is left to hold copies: the former holder hears how far the store has them all the same, and can go.
func TestCopier_TellsTheLastHolderWhatTheStoreHas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	origin, holder := c.nodes[0], c.nodes[1]
	key := origin.replicaOf(origin, 3)
	holder.Drain(t.Context())
	origin.flusher.Kick()
	eventually(t, func() error {
		if w := holder.copies.weight(); w != 0 {
			return fmt.Errorf("it still holds %d bytes", w)
		}
		return nil
	})
	c.exact(map[string]int64{key: 3})
}
