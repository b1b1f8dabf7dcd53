package node

import (
	"fmt"
	"testing"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// BenchmarkIncrement is the hot path in process: an increment of one of 1,000 counters of which this node owns every partition.
func BenchmarkIncrement(b *testing.B) {
	cfg := DefaultConfig()
	n := &Node{cfg: cfg, lease: newLease(cfg.LeaseTTL), count: newInstruments(), slots: newSlots(cfg.Ring.Partitions, counter.Origin{1}, counter.Holders{}, 0)}
	n.accepting.Store(true)
	n.lease.renewed(n.lease.now())
	n.slots.each(func(_ *slot, p *counter.Partition) { p.Acquire(1, nil, nil, nil) })
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "page:%d", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := n.Increment(Increment{Key: keys[i%len(keys)], Delta: 1}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
