package node

import (
	"fmt"
	"testing"
	"time"
)

func TestAudit_TellsWhatWasCountedAndWhatTheStoreHas(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.FlushInterval = 10 * time.Second })
	n := c.nodes[0]
	key := n.keyOf("k", 0)
	for range 3 {
		n.add(key, 5)
	}
	at := AuditCounting{}
	f := n.Audit()
	for id, p := range f.Partitions {
		if uint32(id) == partitionOf(key) {
			at = p
		} else if p != at && p != (AuditCounting{}) {
			t.Errorf("partition %d counted %+v", id, p)
		}
	}
	if f.ID != n.ID() || f.Node != "n1" || f.Increments != 3 || f.Operations != at.Given || f.Operations == 0 || f.Pending != f.Operations || at.Persisted != 0 {
		t.Errorf("before a flush: %+v", f)
	}
	eventually(t, func() error {
		n.flusher.Kick()
		if f = n.Audit(); f.Pending != 0 || f.Partitions[partitionOf(key)].Persisted != f.Operations {
			return fmt.Errorf("pending: %+v", f)
		}
		return nil
	})
	if f.Lost != 0 || f.Refused != 0 || len(f.Resending) != 0 {
		t.Errorf("after it: %+v", f)
	}
	c.exact(map[string]int64{key: 15})
}
