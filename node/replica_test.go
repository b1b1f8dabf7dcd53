package node

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// R7: an increment answered at durability replica survives the loss of any one node with its disk, also when its origin
// owned its counter: a second node has a copy and resends it.
func TestCluster_CountsOnceWhatASecondNodeHoldsWhenOneIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { shortLeases(cfg); cfg.FlushInterval = 3 * time.Second })
	victim := c.nodes[0]
	want := make(map[string]int64)
	for k := range 40 {
		key := fmt.Sprintf("k%d", k) // some are the victim's own, some of the others
		for n := range int64(3) {
			if _, err := victim.Increment(Increment{Key: []byte(key), Delta: n + 1, Durability: Replica}); err != nil {
				t.Fatal(err)
			}
			want[key] += n + 1
		}
		if k == 20 {
			victim.flusher.Kick()
		}
	}
	victim.crash()
	<-victim.done
	c.agree()
	for _, i := range c.live() { // what the victim had sent to owners that live is theirs to flush
		if err := i.flusher.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.exact(want)
}

// Copies that nobody needs any more are let go.
func TestCopies_GoWhenTheStoreHasThem(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	n := c.nodes[0]
	key := n.keyOf("k", 0)
	for range 10 {
		if _, err := n.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Replica}); err != nil {
			t.Fatal(err)
		}
	}
	c.exact(map[string]int64{key: 10})
	eventually(t, func() error {
		if w := c.nodes[1].copies.weight(); w != 0 {
			return fmt.Errorf("%d bytes are held", w)
		}
		return nil
	})
}

// Without a second node there is no replica, and no silent downgrade.
func TestNode_RefusesDurabilityReplicaWithoutASecondNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, shortLeases)
	left, lone := c.nodes[0], c.nodes[1]
	left.leave()
	eventually(t, func() error {
		if _, err := lone.Increment(Increment{Key: []byte("k"), Delta: 0, Durability: Replica}); !errors.Is(err, ErrTooFewNodes) {
			return fmt.Errorf("answered %v", err)
		}
		return nil
	})
}
