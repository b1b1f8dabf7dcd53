package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

const (
	loadTries   = 8           // a read that raced with a flush is made again
	loadTimeout = time.Second // of one read of the store
)

// loader reads counters that their owner does not know yet. All that wait go in one read: value and ledger rows in one
// snapshot (R8).
type loader struct {
	node    *Node
	wake    chan struct{}
	failing atomic.Bool // the last read failed: totals of unknown counters are not to be had

	mu    sync.Mutex
	calls []*loadCall
}

type loadCall struct {
	want map[uint32]counter.Wanted // by partition
	slot *slot                     // whose loading is to end with it, or nil
	done chan struct{}             // closed when tried
	err  error
}

func newLoader(n *Node) *loader { return &loader{node: n, wake: make(chan struct{}, 1)} }

// load asks for keys, and returns at once. The keys are copied.
func (l *loader) load(want map[uint32]counter.Wanted) *loadCall { return l.start(nil, want) }

// loadFor is load for a section that came to a partition; the slot's loading is set until it has been tried.
func (l *loader) loadFor(sl *slot, w counter.Wanted) {
	l.start(sl, map[uint32]counter.Wanted{sl.p.ID(): w})
}

func (l *loader) start(sl *slot, want map[uint32]counter.Wanted) *loadCall {
	c := &loadCall{slot: sl, want: make(map[uint32]counter.Wanted, len(want)), done: make(chan struct{})}
	for p, w := range want {
		c.want[p] = w.Clone()
	}
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return c
}

func (l *loader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			l.finish(l.take(), ctx.Err())
			return
		case <-l.wake:
		}
		calls := l.take()
		if len(calls) > 0 {
			l.finish(calls, l.read(ctx, calls))
		}
	}
}

func (l *loader) take() []*loadCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

func (l *loader) finish(calls []*loadCall, err error) {
	for _, c := range calls {
		c.err = err
		if c.slot != nil {
			c.slot.mu.Lock()
			c.slot.loading = false
			c.slot.mu.Unlock()
		}
		close(c.done)
	}
}

// read makes one read for all calls, and again for what raced with a flush.
func (l *loader) read(ctx context.Context, calls []*loadCall) error {
	want := make(map[uint32]counter.Wanted)
	for _, c := range calls {
		for p, w := range c.want {
			all := want[p]
			all.Keys = append(all.Keys, w.Keys...)
			all.IDs = append(all.IDs, w.IDs...)
			want[p] = all
		}
	}
	for range loadTries {
		if len(want) == 0 {
			break
		}
		again, err := l.readOnce(ctx, want)
		l.failing.Store(err != nil)
		if err != nil {
			l.node.count.loadFailures.Inc()
			return err
		}
		want = again
	}
	return nil // what is left raced with a flush each time: the caller looks again and asks again
}

func (l *loader) readOnce(ctx context.Context, want map[uint32]counter.Wanted) (again map[uint32]counter.Wanted, err error) {
	n := l.node
	tokens := make(map[uint32]counter.LoadToken, len(want))
	var keys []string
	var partitions []uint32
	var ids []counter.IDRef
	for p, w := range want {
		n.slots.change(&n.slots.all[p], func(part *counter.Partition) {
			if t, ok := part.BeginLoad(); ok {
				tokens[p] = t
				partitions = append(partitions, p)
				keys = append(keys, w.Keys...)
				ids = append(ids, w.IDs...)
			}
		})
	}
	if len(keys)+len(ids) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	snap, err := n.cfg.Store.Read(ctx, keys, partitions, storeRefs(ids))
	if err != nil {
		return nil, err
	}
	n.count.loads.Add(len(keys))
	ledger := ledgerByPartition(snap.Ledger)
	rows := coreRows(snap.IDs)
	for p, t := range tokens {
		n.slots.change(&n.slots.all[p], func(part *counter.Partition) {
			used := part.Loaded(t, &counter.Snapshot{Wanted: want[p], Values: snap.Values, Rows: rows, Ledger: ledger[p]})
			part.Shrink(n.limits) // reads of whatever keys must not pile up in a partition that is not flushed (R10)
			if used || part.Phase() == counter.Following {
				delete(want, p)
			}
			if !used && (part.Older(t, ledger[p]) || part.Newer(ledger[p])) {
				n.suspect.Store(true) // the next round compares all partitions, or learns of a process that was closed
				n.refresh()
				delete(want, p) // until then, no read says more: the caller asks again
			}
			if more := part.Wanted(); used && !more.Empty() {
				want[p] = more // its own operations go on with these
			}
		})
	}
	return want, nil
}

func storeRefs(ids []counter.IDRef) []flush.IDRef {
	out := make([]flush.IDRef, len(ids))
	for i, r := range ids {
		out[i] = flush.IDRef(r)
	}
	return out
}

func coreRows(rows map[flush.IDRef]flush.IDRow) map[counter.IDRef]counter.IDRow {
	out := make(map[counter.IDRef]counter.IDRow, len(rows))
	for ref, r := range rows {
		out[counter.IDRef(ref)] = counter.IDRow{IDRef: counter.IDRef(ref), Fingerprint: r.Fingerprint, Total: r.Result}
	}
	return out
}
