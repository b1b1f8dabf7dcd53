package flush_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// balanced expects the two sides of the audit to be equal and returns it.
func balanced(t *testing.T, s flush.Store) flush.AuditReport {
	t.Helper()
	a, err := s.Audit(t.Context())
	must(t, err)
	if d := a.Difference(); d.Sign() != 0 || !a.Balanced() {
		t.Fatalf("off by %v: %+v", d, a)
	}
	return a
}

// counting is batch for the audit: the move has the deltas' sum.
func counting(partition uint32, origin uuid.UUID, from, to uint64, deltas ...any) flush.Batch {
	b := batch(partition, origin, from, to, deltas...)
	for _, d := range b.Deltas {
		b.Moves[0].Sum += d.Delta
	}
	return b
}

// wantSum compares a sum of a report.
func wantSum(t *testing.T, what string, got *big.Int, want string) {
	t.Helper()
	if got.String() != want {
		t.Errorf("%s is %v, want %s", what, got, want)
	}
}

// auditMix is a random history of one store.
type auditMix struct {
	*testing.T
	store    flush.Store
	r        *rand.Rand
	owner    uuid.UUID
	origins  []uuid.UUID
	numbers  map[string]uint64
	counters *big.Int
	aside    *big.Int
	keys     int
}

func testAuditMix(t *testing.T, f *fixture) {
	s := f.open(t)
	m := &auditMix{
		T: t, store: s, r: newRand(7), owner: member(t, s, allPartitions()...), numbers: map[string]uint64{},
		counters: new(big.Int), aside: new(big.Int),
	}
	for range 4 {
		m.origins = append(m.origins, join(t, s, hour))
	}
	for range 120 {
		switch m.r.IntN(8) {
		case 0:
			m.end()
		default:
			m.flush()
		}
		if m.r.IntN(8) == 0 {
			balanced(t, s)
		}
	}
	a := balanced(t, s)
	wantSum(t, "the counters' sum", a.Counters, m.counters.String())
	wantSum(t, "the quarantine's sum", a.Quarantine, m.aside.String())
	if a.Retired.Sign() == 0 || a.Base.Sign() != 0 {
		t.Errorf("retired %v, base %v", a.Retired, a.Base)
	}
}

// flush writes a batch with moves of several origins and a delta each, some of them set aside.
func (m *auditMix) flush() {
	p := uint32(m.r.IntN(partitions))
	b := flush.Batch{Partition: p, Epoch: 1}
	req := request(m.owner)
	req.Quarantine = map[string]string{}
	for _, origin := range m.origins {
		delta := []int64{int64(m.r.IntN(100)) - 50, math.MaxInt64, math.MinInt64, int64(m.r.Uint64())}[m.r.IntN(4)]
		m.keys++
		key := fmt.Sprint("key ", m.keys)
		from := m.numbers[row(p, origin)]
		to := from + uint64(m.r.IntN(3)) + 1
		m.numbers[row(p, origin)] = to
		b.Moves = append(b.Moves, flush.Move{Origin: origin, From: from, To: to, Sum: delta})
		b.Deltas = append(b.Deltas, flush.Delta{Key: key, Delta: delta})
		into := m.counters
		if m.r.IntN(5) == 0 {
			req.Quarantine[key] = "reason"
			into = m.aside
		}
		into.Add(into, big.NewInt(delta))
	}
	req.Batches = []flush.Batch{b}
	if m.r.IntN(6) == 0 {
		dry := *req
		dry.DryRun = true
		apply(m.T, m.store, &dry)
	}
	apply(m.T, m.store, req)
	refused(m.T, m.store, req)
}

// end closes or expires an origin, and lets another one come.
func (m *auditMix) end() {
	i := m.r.IntN(len(m.origins))
	switch m.r.IntN(3) {
	case 0:
		must(m.T, m.store.CloseNode(m.Context(), m.origins[i], true))
	case 1:
		must(m.T, m.store.CloseNode(m.Context(), m.origins[i], false))
	case 2:
		_, err := m.store.Renew(m.Context(), m.origins[i], -10*time.Hour)
		must(m.T, err)
		_, err = m.store.Expire(m.Context(), hour)
		must(m.T, err)
	}
	m.origins[i] = join(m.T, m.store, hour)
}

func testAuditOrigins(t *testing.T, f *fixture) {
	s := f.open(t)
	id, closed, late, silent := member(t, s, 0, 1), join(t, s, hour), join(t, s, past), join(t, s, hour)
	apply(t, s, request(id, counting(0, id, 0, 5, "a", math.MaxInt64), counting(1, id, 0, 2, "b", math.MaxInt64)))
	apply(t, s, request(id, counting(0, closed, 0, 1, "c", -3)))
	apply(t, s, request(id, counting(0, late, 0, math.MaxInt64, "c", math.MinInt64+3)))
	must(t, s.CloseNode(t.Context(), closed, false))
	a := balanced(t, s)
	if len(a.Origins) != 3 {
		t.Fatalf("%+v: %s has no ledger rows", a.Origins, silent)
	}
	for i, want := range []struct {
		id         uuid.UUID
		closed     bool
		late       bool
		operations uint64
		sum        string
	}{
		{id, false, false, 7, "18446744073709551614"},
		{closed, true, false, 1, "-3"},
		{late, false, true, math.MaxInt64, "-9223372036854775805"},
	} {
		got := a.Origins[i]
		if got.Origin != want.id || got.Name != "node-"+want.id.String() || got.Closed != want.closed ||
			got.LeaseLeft < 0 != want.late || got.Operations != want.operations {
			t.Errorf("%+v, want %+v", got, want)
		}
		wantSum(t, "the origin's sum", got.Sum, want.sum)
	}
	must(t, s.CloseNode(t.Context(), id, true))
	a = balanced(t, s)
	wantSum(t, "what is retired", a.Retired, "18446744073709551614")
	f.query(t, "delete from nodes")
	for _, o := range balanced(t, s).Origins {
		if o.Name != "" || !o.Closed || o.LeaseLeft != 0 {
			t.Errorf("%+v is unknown", o)
		}
	}
}

func testAuditTampered(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	apply(t, s, request(id, counting(0, id, 0, 1, "a", 10)))
	f.query(t, "update counters set value = value - 1")
	a, err := s.Audit(t.Context())
	must(t, err)
	wantSum(t, "the difference", a.Difference(), "-1")
	if a.Balanced() {
		t.Error("balanced")
	}
	f.query(t, "update counters set value = value + 1")
	// Two deltas of one move that leave the range together: their sum is one modulo 2^64.
	apply(t, s, request(id, counting(0, id, 1, 3, "b", math.MaxInt64, "c", math.MaxInt64)))
	a, err = s.Audit(t.Context())
	must(t, err)
	wantSum(t, "the difference", a.Difference(), "18446744073709551616")
	if !a.Balanced() {
		t.Error("not balanced modulo 2^64")
	}
}

func testAuditWhileWriting(t *testing.T, f *fixture) {
	s := f.open(t)
	var all sync.WaitGroup
	for p := range uint32(3) {
		id := member(t, s, p)
		all.Go(func() {
			for n := range uint64(25) {
				b := counting(p, id, n, n+1, fmt.Sprint("key ", p), int(n)+1)
				if res, err := s.Flush(t.Context(), request(id, b)); err != nil || !res.Applied {
					t.Errorf("%+v, %v", res, err)
				}
			}
			if err := s.CloseNode(t.Context(), id, true); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		balanced(t, s)
	}
	all.Wait()
	wantSum(t, "what is retired", balanced(t, s).Retired, "975")
}
