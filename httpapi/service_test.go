package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pinocchio-nose/pinocchio/node"
)

// fakeService counts exactly, in memory. Its fields may be set before the server starts.
type fakeService struct {
	mu     sync.Mutex
	totals map[string]int64
	seen   []node.Increment // with a copy of the key, when keep is set
	calls  int
	// changes are the same of commands.
	changes []node.Change

	keep     bool
	later    bool
	replayed bool
	noTotal  bool
	stale    bool
	unstored bool
	err      error                // of every call
	notReady error                // of Ready
	before   func(node.Increment) // called at the start of an increment
}

func (f *fakeService) Increment(in node.Increment) (node.Result, error) {
	if f.before != nil {
		f.before(in)
	}
	if f.err != nil {
		return node.Result{}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.keep {
		kept := in
		kept.Key, kept.ID = bytes.Clone(in.Key), bytes.Clone(in.ID)
		f.seen = append(f.seen, kept)
	}
	if f.totals == nil {
		f.totals = map[string]int64{}
	}
	f.totals[string(in.Key)] += in.Delta
	return node.Result{Total: f.totals[string(in.Key)], HasTotal: in.Return && !f.noTotal, Later: f.later, Replayed: f.replayed}, nil
}

func (f *fakeService) IncrementMany(in []node.Increment, out []node.Outcome) {
	for i := range in {
		out[i].Result, out[i].Err = f.Increment(in[i])
	}
}

// Change knows no bound but that of a rejected addition.
func (f *fakeService) Change(c node.Change) (node.Changed, error) {
	if f.err != nil {
		return node.Changed{Before: f.total(string(c.Key))}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.keep {
		c.Key, c.ID = bytes.Clone(c.Key), bytes.Clone(c.ID)
		f.changes = append(f.changes, c)
	}
	if f.totals == nil {
		f.totals = map[string]int64{}
	}
	before := f.totals[string(c.Key)]
	delta := c.Value
	switch {
	case c.Set:
		delta = c.Value - before
	case c.Saturate:
		delta = min(max(before+delta, c.Min), c.Max) - before
	case before+delta > c.Max, before+delta < c.Min:
		return node.Changed{Before: before}, node.ErrOutOfBounds
	}
	f.totals[string(c.Key)] += delta
	return node.Changed{Before: before, Delta: delta, Replayed: f.replayed}, nil
}

func (f *fakeService) Total(key []byte) (node.Reading, error) {
	if f.err != nil {
		return node.Reading{}, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return node.Reading{Value: f.totals[string(key)], Stale: f.stale}, nil
}

func (f *fakeService) Counter(key []byte) (node.Detail, error) {
	reading, err := f.Total(key)
	return node.Detail{Reading: reading, Persisted: reading.Value - 1, HasPersisted: !f.unstored}, err
}

func (f *fakeService) List(prefix, after string, limit int) ([]node.KeyValue, error) {
	if f.err != nil {
		return nil, f.err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var page []node.KeyValue
	for _, key := range slices.Sorted(maps.Keys(f.totals)) {
		if strings.HasPrefix(key, prefix) && key > after && len(page) < limit {
			page = append(page, node.KeyValue{Key: key, Value: f.totals[key]})
		}
	}
	return page, nil
}

func (f *fakeService) Cluster() node.ClusterStatus {
	return node.ClusterStatus{
		Cluster: "c1", Node: "n1", RingVersion: "v", Partitions: 271, Unowned: 1, Settling: 2, Pending: 3, PendingAge: 1500e6, StoreOK: true,
		Members: []node.MemberStatus{{
			ID: "id", Name: "n1", HTTPAddr: "h:1", PeerAddr: "p:2", GossipAddr: "g:3", Self: true, Alive: true, LeaseLeft: 5e9, Owned: 100, Wanted: 101,
		}},
	}
}

func (f *fakeService) Audit() node.AuditFigures {
	return node.AuditFigures{
		Cluster: "c1", Node: "n1", ID: "id", Increments: 9, Operations: 7, Pending: 2, Resending: []string{},
		Partitions: []node.AuditCounting{{Given: 7, Persisted: 5}},
	}
}

func (f *fakeService) Ready() error { return f.notReady }

func (f *fakeService) WriteMetrics(w io.Writer) {
	fmt.Fprint(w, "# HELP pinocchio_fake Something.\n# TYPE pinocchio_fake gauge\npinocchio_fake 1\n")
}

func (f *fakeService) total(key string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.totals[key]
}

func (f *fakeService) counted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fakeService) last() node.Increment {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) == 0 {
		return node.Increment{}
	}
	return f.seen[len(f.seen)-1]
}
