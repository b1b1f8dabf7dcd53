package node

import (
	"errors"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// R6, R7: without a secret, too, news for a dead process does not reach its successor at the same address, whose numbers are its own: it would
// take operations for stored that are nowhere.
func TestPeers_RefuseWhatIsMeantForAnEarlierProcessWithoutASecret(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) {
		cfg.Secrets, cfg.OwnerTimeout, cfg.StoreTimeout = nil, time.Second, 200*time.Millisecond
	})
	owner, n := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	n.add(key, 1)
	c.exact(map[string]int64{key: 1})

	call := newCaller(counter.Origin{7}, n.PeerAddr(), n.auth)
	defer call.close()
	if _, err := call.post(batchPath, message(n.Node, partitionOf(key)), patience); !errors.Is(err, errPeerGone) || !isRefused(err) { // numbers 2 and 3 are stored
		t.Errorf("%v", err)
	}
	if n.count.misdirected.Get() != 1 {
		t.Error("not counted")
	}
	blocked, release := block("Flush")
	owner.faults.add(blocked)
	defer release()
	if r, err := n.Increment(Increment{Key: []byte(key), Delta: 1, Durability: Database}); err == nil {
		t.Errorf("answered %+v while the store has nothing of it", r)
	}
	release()
	c.exact(map[string]int64{key: 2})
}
