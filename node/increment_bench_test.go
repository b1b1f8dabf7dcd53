package node

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// BenchmarkIncrement is the hot path in process: an increment of one of 1,000 counters of which this node owns every partition.
func BenchmarkIncrement(b *testing.B) {
	incrementAll(b, owningNode())
}

// BenchmarkIncrementWatched is BenchmarkIncrement while somebody looks at the live page.
func BenchmarkIncrementWatched(b *testing.B) {
	n := owningNode()
	stop, looking := make(chan struct{}), sync.WaitGroup{}
	n.live.top(time.Now())
	looking.Go(func() {
		for tick := time.Tick(livePeriod); ; {
			select {
			case <-stop:
				return
			case now := <-tick:
				n.live.top(now)
			}
		}
	})
	b.Cleanup(func() { close(stop); looking.Wait() })
	incrementAll(b, n)
}

// owningNode returns a node without neighbours and store that owns every partition.
func owningNode() *Node {
	cfg := DefaultConfig()
	n := &Node{cfg: cfg, lease: newLease(cfg.LeaseTTL), count: newInstruments(), slots: newSlots(cfg.Ring.Partitions, counter.Origin{1}, counter.Holders{}, 0)}
	n.accepting.Store(true)
	n.lease.renewed(n.lease.now())
	n.slots.each(func(_ *slot, p *counter.Partition) { p.Acquire(1, nil, nil, nil) })
	return n
}

// incrementAll increments 1,000 counters in turn, on all processors.
func incrementAll(b *testing.B, n *Node) {
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
