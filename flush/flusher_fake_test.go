package flush_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// modelStore is a store in memory that keeps the rules of Flush, and breaks as a test says. It has no other method.
type modelStore struct {
	flush.Store
	owner uuid.UUID
	// fault is called for each statement, with its number from 1: before it is executed. The returned function, if any, is
	// called afterwards; its error is the answer instead of the result.
	fault func(ctx context.Context, n int, r *flush.Request) (after func() error, err error)

	mu       sync.Mutex
	calls    []*flush.Request
	times    []time.Time
	owners   map[uint32]flush.Ownership // where it is not owner at epoch 1
	ledger   map[string]uint64
	counters map[string]int64
	aside    map[string]int64
	poison   map[string]bool
	taken    map[flush.IDRef]bool
}

func newModelStore() *modelStore {
	return &modelStore{
		owner: newID(), owners: map[uint32]flush.Ownership{}, ledger: map[string]uint64{}, counters: map[string]int64{},
		aside: map[string]int64{}, poison: map[string]bool{}, taken: map[flush.IDRef]bool{},
	}
}

var errRefusedByModel = &flush.DataError{Code: "22003", Err: errors.New("poison")}

func (m *modelStore) Flush(ctx context.Context, r *flush.Request) (flush.Result, error) {
	m.mu.Lock()
	m.calls, m.times = append(m.calls, r), append(m.times, time.Now())
	n := len(m.calls)
	m.mu.Unlock()
	var after func() error
	if m.fault != nil {
		var err error
		if after, err = m.fault(ctx, n, r); err != nil {
			return flush.Result{}, err
		}
	}
	res, err := m.execute(r)
	if err == nil && after != nil {
		err = after()
	}
	if err != nil {
		return flush.Result{}, err
	}
	return res, nil
}

func (m *modelStore) execute(r *flush.Request) (res flush.Result, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range r.Batches {
		if o := m.stands(b.Partition); o.Owner != r.Node || o.Epoch != b.Epoch {
			res.Owners = append(res.Owners, o)
		}
		for _, mv := range b.Moves {
			if at := m.ledger[row(b.Partition, mv.Origin)]; at != mv.From {
				res.Ledger = append(res.Ledger, flush.Mismatch{Partition: b.Partition, Origin: mv.Origin, Number: at})
			}
		}
	}
	if res.Owners != nil || res.Ledger != nil {
		return res, nil
	}
	for _, b := range r.Batches {
		for i := range b.IDs {
			if ref := b.IDs[i].Ref(); m.taken[ref] {
				res.IDs = append(res.IDs, ref)
			}
		}
	}
	if res.IDs != nil {
		return res, nil
	}
	for _, b := range r.Batches {
		for _, d := range b.Deltas {
			if _, aside := r.Quarantine[d.Key]; m.poison[d.Key] && !aside {
				return res, errRefusedByModel
			}
		}
	}
	res.Applied = true
	for _, b := range r.Batches {
		for _, d := range b.Deltas {
			into := m.counters
			_, aside := r.Quarantine[d.Key]
			if aside {
				into = m.aside
			}
			if !r.DryRun {
				into[d.Key] += d.Delta
			}
			if !aside {
				res.Values = append(res.Values, flush.KeyValue{Key: d.Key, Value: into[d.Key]})
			}
		}
		for i := range b.IDs {
			m.taken[b.IDs[i].Ref()] = m.taken[b.IDs[i].Ref()] || !r.DryRun
		}
		for _, mv := range b.Moves {
			if !r.DryRun {
				m.ledger[row(b.Partition, mv.Origin)] = mv.To
			}
		}
		if b.NewOwner != uuid.Nil && !r.DryRun {
			m.owners[b.Partition] = owned(b.Partition, b.NewOwner, b.Epoch+1)
		}
	}
	return res, nil
}

func (m *modelStore) stands(p uint32) flush.Ownership {
	if o, ok := m.owners[p]; ok {
		return o
	}
	return owned(p, m.owner, 1)
}

func (m *modelStore) requests() []*flush.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// ended is a Done.
type ended struct {
	flush.Batch
	flush.Outcome
}

// testSource is a source that counts: each add is one operation of its one origin.
type testSource struct {
	t      *testing.T
	origin uuid.UUID

	mu       sync.Mutex
	heirs    map[uint32]uuid.UUID
	waiting  map[uint32]map[string]int64
	sums     map[uint32]int64 // of what is waiting
	withIDs  bool             // each operation has an idempotency key
	ids      map[uint32][]flush.IDRow
	numbers  map[uint32]uint64 // given
	frozen   map[uint32]uint64 // up to this number
	underWay map[uint32]bool
	freezes  int
	ends     []ended
	onDone   func(ended)
}

func newTestSource(t *testing.T) *testSource {
	return &testSource{
		t: t, origin: newID(), heirs: map[uint32]uuid.UUID{}, waiting: map[uint32]map[string]int64{},
		sums: map[uint32]int64{}, ids: map[uint32][]flush.IDRow{}, numbers: map[uint32]uint64{}, frozen: map[uint32]uint64{}, underWay: map[uint32]bool{},
	}
}

func (s *testSource) add(partition uint32, key string, delta int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[partition] == nil {
		s.waiting[partition] = map[string]int64{}
	}
	s.waiting[partition][key] += delta
	s.sums[partition] += delta
	s.numbers[partition]++
	if s.withIDs {
		s.ids[partition] = append(s.ids[partition], flush.IDRow{Key: key, ID: fmt.Sprint(s.numbers[partition])})
	}
}

func (s *testSource) handOver(partition uint32, heir uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heirs[partition] = heir
}

// Freeze implements flush.Source.
func (s *testSource) Freeze() (out []flush.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freezes++
	due := map[uint32]bool{}
	for p := range s.waiting {
		due[p] = true
	}
	for p := range s.heirs {
		due[p] = true
	}
	for _, p := range slices.Sorted(maps.Keys(due)) {
		if s.underWay[p] {
			continue
		}
		b := flush.Batch{Partition: p, Epoch: 1, NewOwner: s.heirs[p]}
		if len(s.waiting[p]) > 0 {
			b.Moves = []flush.Move{{Origin: s.origin, From: s.frozen[p], To: s.numbers[p], Sum: s.sums[p]}}
			b.IDs = s.ids[p]
		}
		for _, key := range slices.Sorted(maps.Keys(s.waiting[p])) {
			b.Deltas = append(b.Deltas, flush.Delta{Key: key, Delta: s.waiting[p][key]})
		}
		s.frozen[p], s.underWay[p] = s.numbers[p], true
		delete(s.waiting, p)
		delete(s.sums, p)
		delete(s.ids, p)
		delete(s.heirs, p)
		out = append(out, b)
	}
	return out
}

// Done implements flush.Source.
func (s *testSource) Done(b flush.Batch, o flush.Outcome) {
	s.mu.Lock()
	if !s.underWay[b.Partition] {
		s.t.Errorf("partition %d is done but was not under way", b.Partition)
	}
	delete(s.underWay, b.Partition)
	e := ended{b, o}
	s.ends = append(s.ends, e)
	onDone := s.onDone
	s.mu.Unlock()
	if onDone != nil {
		onDone(e)
	}
}

func (s *testSource) done() []ended {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ends)
}

// doneOf returns the ends of one partition's batches.
func (s *testSource) doneOf(p uint32) (out []ended) {
	for _, e := range s.done() {
		if e.Partition == p {
			out = append(out, e)
		}
	}
	return out
}

// counted is what the hooks told.
type counted struct {
	statements, retried, unknown, resolved, quarantined int
}

func (c *counted) hooks() flush.Hooks {
	return flush.Hooks{
		Statement:   func(time.Duration, int, error) { c.statements++ },
		Retried:     func(n int) { c.retried += n },
		Unknown:     func(n int) { c.unknown += n },
		Resolved:    func(n int) { c.resolved += n },
		Quarantined: func(n int) { c.quarantined += n },
	}
}

// bench is a flusher over a model store, inside a synctest bubble.
type bench struct {
	t       *testing.T
	store   *modelStore
	source  *testSource
	hooks   counted
	flusher *flush.Flusher
	cancel  context.CancelFunc
	ended   chan struct{}
}

// inBubble runs the test with a flusher that has started, on a clock that jumps when everything waits.
func inBubble(t *testing.T, opt flush.FlusherOptions, test func(*bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, store: newModelStore(), source: newTestSource(t), ended: make(chan struct{})}
		opt.Hooks = b.hooks.hooks()
		b.flusher = flush.NewFlusher(b.store, b.store.owner, b.source, opt)
		ctx, cancel := context.WithCancel(t.Context())
		b.cancel = cancel
		go func() {
			defer close(b.ended)
			if err := b.flusher.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		test(b)
		b.stop()
	})
}

// stop ends the flusher; the hooks may be read after it.
func (b *bench) stop() {
	b.cancel()
	<-b.ended
}

// flush waits until everything is resolved.
func (b *bench) flush() {
	b.t.Helper()
	must(b.t, b.flusher.Flush(b.t.Context()))
}

// verdict expects one end of a partition's batch and returns it.
func (b *bench) verdict(p uint32, want flush.Verdict) ended {
	b.t.Helper()
	ends := b.source.doneOf(p)
	if len(ends) != 1 || ends[0].Verdict != want {
		b.t.Fatalf("partition %d ended %+v, want verdict %d", p, ends, want)
	}
	return ends[0]
}

var errLost = errors.New("the connection was lost")
