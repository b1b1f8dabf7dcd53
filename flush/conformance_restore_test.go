package flush_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func reclaim(o flush.Ownership, above uint64) flush.Reclaim {
	return flush.Reclaim{Ownership: o, Above: above}
}

func testReclaim(t *testing.T, f *fixture) {
	s := f.open(t)
	alive, late := member(t, s, 0, 4), member(t, s, 1)
	_, err := s.Renew(t.Context(), late, past)
	must(t, err)
	id := join(t, s, hour)
	won, err := s.Reclaim(t.Context(), id, []flush.Reclaim{
		reclaim(owned(0, alive, 1), 5), reclaim(owned(1, late, 1), 2), reclaim(owned(2, uuid.Nil, 0), 7),
		reclaim(owned(3, uuid.Nil, 1), 7),          // another epoch
		reclaim(owned(4, late, 1), 7),              // another owner
		reclaim(owned(partitions, uuid.Nil, 0), 7), // no such partition
	})
	must(t, err)
	want := []flush.Ownership{owned(0, id, 6), owned(1, id, 3), owned(2, id, 8)}
	if diff := cmp.Diff(want, won); diff != "" {
		t.Fatal(diff)
	}
	v, err := s.View(t.Context())
	must(t, err)
	if diff := cmp.Diff(append(want, owned(3, uuid.Nil, 0), owned(4, alive, 1)), v.Owners[:5]); diff != "" {
		t.Error(diff)
	}
	if res := refused(t, s, request(alive, batch(0, alive, 0, 1, "k", 1))); len(res.Owners) != 1 {
		t.Errorf("%+v", res)
	}
}

func testReclaimWithoutLease(t *testing.T, f *fixture) {
	s := f.open(t)
	closed := join(t, s, hour)
	must(t, s.CloseNode(t.Context(), closed, true))
	for _, id := range []uuid.UUID{newID(), closed, join(t, s, past)} {
		won, err := s.Reclaim(t.Context(), id, []flush.Reclaim{reclaim(owned(0, uuid.Nil, 0), 3)})
		if err != nil || len(won) != 0 {
			t.Errorf("won %v, %v", won, err)
		}
	}
	v, err := s.View(t.Context())
	must(t, err)
	if v.Owners[0] != owned(0, uuid.Nil, 0) {
		t.Errorf("%+v", v.Owners[0])
	}
}

func testReclaimWithoutProof(t *testing.T, f *fixture) {
	s := f.open(t)
	owner, id := member(t, s, 0), join(t, s, hour)
	for _, above := range []uint64{0, 1, math.MaxInt64, math.MaxUint64} {
		won, err := s.Reclaim(t.Context(), id, []flush.Reclaim{reclaim(owned(1, uuid.Nil, 0), 9), reclaim(owned(0, owner, 1), above)})
		if !errors.Is(err, flush.ErrRequest) || won != nil {
			t.Errorf("above %d: %v, %v", above, won, err)
		}
	}
	v, err := s.View(t.Context())
	must(t, err)
	if v.Owners[0] != owned(0, owner, 1) || v.Owners[1] != owned(1, uuid.Nil, 0) {
		t.Errorf("%+v", v.Owners[:2])
	}
}

func testReclaimRepeated(t *testing.T, f *fixture) {
	s := f.open(t)
	owner, id, other := member(t, s, 0), join(t, s, hour), join(t, s, hour)
	want := []flush.Reclaim{reclaim(owned(0, owner, 1), 4)}
	for range 2 {
		won, err := s.Reclaim(t.Context(), id, want)
		if err != nil || len(won) != 1 || won[0] != owned(0, id, 5) {
			t.Errorf("%v, %v", won, err)
		}
	}
	if won, err := s.Reclaim(t.Context(), other, want); err != nil || len(won) != 0 {
		t.Errorf("another one won %v, %v", won, err)
	}
}

// A restore from before the process' registration.
func testRegisterMissing(t *testing.T, f *fixture) {
	s := f.open(t)
	n := flush.Node{ID: newID(), Name: "a"}
	must(t, s.Register(t.Context(), n, hour))
	f.query(t, "delete from nodes")
	_, err := s.Renew(t.Context(), n.ID, hour)
	if !errors.Is(err, flush.ErrMissing) || errors.Is(err, flush.ErrClosed) {
		t.Fatalf("got %v, want ErrMissing alone", err)
	}
	other := flush.Node{ID: newID(), Name: "a"}
	must(t, s.Register(t.Context(), other, hour))
	if err := s.Register(t.Context(), n, hour); !errors.Is(err, flush.ErrNameTaken) {
		t.Fatalf("got %v, want ErrNameTaken", err)
	}
	must(t, s.CloseNode(t.Context(), other.ID, true))
	must(t, s.Register(t.Context(), n, hour))
	if _, err := s.Renew(t.Context(), n.ID, hour); err != nil {
		t.Error(err)
	}
	// Its ledger rows are gone as well: what it had counted is not there, which nobody may take for applied.
	own(t, s, n.ID, 0)
	res := refused(t, s, request(n.ID, batch(0, n.ID, 5, 6, "k", 1)))
	want := flush.Result{Ledger: []flush.Mismatch{{Partition: 0, Origin: n.ID}}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
}

// A tombstone does not stand for ever, but its process is closed for ever.
func testRenewExpired(t *testing.T, f *fixture) {
	s := f.open(t)
	closed, vanished, young := join(t, s, hour), join(t, s, -10*time.Hour), newID()
	must(t, s.CloseNode(t.Context(), closed, true))
	for _, retention := range []time.Duration{hour, -hour} {
		n, err := s.Expire(t.Context(), retention)
		if err != nil || n != 1 {
			t.Fatalf("%d, %v", n, err)
		}
	}
	for id, want := range map[uuid.UUID]error{closed: flush.ErrClosed, vanished: flush.ErrClosed, young: flush.ErrMissing} {
		if _, err := s.Renew(t.Context(), id, hour); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func testClusterID(t *testing.T, f *fixture) {
	first, second := f.open(t), f.open(t)
	if first.ClusterID() == uuid.Nil || first.ClusterID() != second.ClusterID() {
		t.Errorf("%s, opened again %s", first.ClusterID(), second.ClusterID())
	}
	if other := newSQLiteFixture(t).open(t); other.ClusterID() == first.ClusterID() {
		t.Error("another store has the same id")
	}
}
