package flush_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func testRegister(t *testing.T, f *fixture) {
	s := f.open(t)
	ctx := t.Context()
	first := flush.Node{ID: newID(), Name: "a", HTTPAddr: "h:1", PeerAddr: "p:2", GossipAddr: "g:3"}
	must(t, s.Register(ctx, first, hour))
	must(t, s.Register(ctx, first, hour)) // the answer to the first may have been lost

	v, err := s.View(ctx)
	must(t, err)
	if len(v.Nodes) != 1 || v.Nodes[0].Node != first || v.Nodes[0].Draining {
		t.Fatalf("%+v", v.Nodes)
	}
	if left := v.Nodes[0].LeaseLeft; left <= hour-time.Minute || left > hour {
		t.Errorf("lease left %v of %v", left, hour)
	}

	second := flush.Node{ID: newID(), Name: "a"}
	if err := s.Register(ctx, second, hour); !errors.Is(err, flush.ErrNameTaken) {
		t.Fatalf("got %v, want ErrNameTaken", err)
	}
	must(t, s.Register(ctx, first, past))
	must(t, s.Register(ctx, second, hour)) // the first one's lease has run out
	if v, err = s.View(ctx); err != nil || len(v.Nodes) != 2 {
		t.Fatalf("%+v, %v: the first one is not closed, only late", v.Nodes, err)
	}
	for _, n := range v.Nodes {
		if late := n.LeaseLeft < 0; late != (n.ID == first.ID) {
			t.Errorf("lease left of %s: %v", n.ID, n.LeaseLeft)
		}
	}

	must(t, s.CloseNode(ctx, second.ID, true))
	if err := s.Register(ctx, second, hour); !errors.Is(err, flush.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	must(t, s.Register(ctx, flush.Node{ID: newID(), Name: "a"}, hour)) // a closed process holds no name
}

func testRegisterConcurrently(t *testing.T, f *fixture) {
	s := f.open(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := s.Register(t.Context(), flush.Node{ID: newID(), Name: "one"}, hour)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, flush.ErrNameTaken) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d processes hold one name", won.Load())
	}
}

func testRenew(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 2)
	other := join(t, s, past)
	v, err := s.Renew(t.Context(), id, 3*hour)
	must(t, err)
	if len(v.Nodes) != 2 || len(v.Owners) != partitions || v.Owners[2].Owner != id {
		t.Fatalf("%+v", v)
	}
	for _, n := range v.Nodes {
		if n.ID == id && n.LeaseLeft <= 2*hour {
			t.Errorf("the view should show the renewal: %v", n.LeaseLeft)
		}
	}
	v, err = s.Renew(t.Context(), other, hour) // late, but nobody closed it
	must(t, err)
	for _, n := range v.Nodes {
		if n.LeaseLeft <= 0 {
			t.Errorf("%s has %v left", n.ID, n.LeaseLeft)
		}
	}
}

func testRenewClosed(t *testing.T, f *fixture) {
	s := f.open(t)
	closed := join(t, s, hour)
	must(t, s.CloseNode(t.Context(), closed, false))
	for id, want := range map[uuid.UUID]error{closed: flush.ErrClosed, newID(): flush.ErrMissing} {
		if _, err := s.Renew(t.Context(), id, hour); !errors.Is(err, want) {
			t.Errorf("renewal: got %v, want %v", err, want)
		}
		if err := s.SetDraining(t.Context(), id); !errors.Is(err, flush.ErrClosed) {
			t.Errorf("draining: got %v, want ErrClosed", err)
		}
	}
	if v, err := s.View(t.Context()); err != nil || len(v.Nodes) != 0 {
		t.Errorf("%+v, %v", v.Nodes, err)
	}
}

func testSetDraining(t *testing.T, f *fixture) {
	s := f.open(t)
	id := join(t, s, hour)
	must(t, s.SetDraining(t.Context(), id))
	v, err := s.Renew(t.Context(), id, hour)
	must(t, err)
	if !v.Nodes[0].Draining {
		t.Error("not draining")
	}
}

func testClaim(t *testing.T, f *fixture) {
	s := f.open(t)
	ctx := t.Context()
	alive, late, closed := member(t, s, 0), member(t, s, 1), member(t, s, 2)
	vanished := newID()
	f.query(t, "update partition_owner set owner = '"+vanished.String()+"', epoch = 1 where partition = 3")
	_, err := s.Renew(ctx, late, past)
	must(t, err)
	must(t, s.CloseNode(ctx, closed, false))

	id := join(t, s, hour)
	won, err := s.Claim(ctx, id, []flush.Ownership{
		owned(0, alive, 1), owned(1, late, 1), owned(2, closed, 1), owned(3, vanished, 1), owned(4, uuid.Nil, 0),
		owned(5, uuid.Nil, 1),          // another epoch
		owned(6, late, 0),              // another owner
		owned(partitions, uuid.Nil, 0), // no such partition
	})
	must(t, err)
	want := []flush.Ownership{owned(1, id, 2), owned(2, id, 2), owned(3, id, 2), owned(4, id, 1)}
	if diff := cmp.Diff(want, won); diff != "" {
		t.Fatal(diff)
	}
	v, err := s.View(ctx)
	must(t, err)
	want = append([]flush.Ownership{owned(0, alive, 1)}, want...)
	if diff := cmp.Diff(append(want, owned(5, uuid.Nil, 0), owned(6, uuid.Nil, 0)), v.Owners[:7]); diff != "" {
		t.Error(diff)
	}
}

func testClaimWithoutLease(t *testing.T, f *fixture) {
	s := f.open(t)
	closed := join(t, s, hour)
	must(t, s.CloseNode(t.Context(), closed, true))
	for _, id := range []uuid.UUID{newID(), closed, join(t, s, past)} {
		won, err := s.Claim(t.Context(), id, []flush.Ownership{{Partition: 0}})
		if err != nil || len(won) != 0 {
			t.Errorf("won %v, %v", won, err)
		}
	}
}

func testClaimRepeated(t *testing.T, f *fixture) {
	s := f.open(t)
	id := join(t, s, hour)
	for range 2 {
		own(t, s, id, 0, 7)
	}
	v, err := s.View(t.Context())
	must(t, err)
	if v.Owners[7] != (flush.Ownership{Partition: 7, Owner: id, Epoch: 1}) {
		t.Errorf("%+v: a claim must not grow the epoch twice", v.Owners[7])
	}
}

func testClaimConcurrently(t *testing.T, f *fixture) {
	s := f.open(t)
	const claimers = 6
	var want []flush.Ownership
	for _, p := range allPartitions() {
		want = append(want, flush.Ownership{Partition: p})
	}
	wins := make([]atomic.Int32, partitions)
	var all sync.WaitGroup
	for range claimers {
		id := join(t, s, hour)
		all.Go(func() {
			won, err := s.Claim(t.Context(), id, want)
			if err != nil {
				t.Error(err)
			}
			for _, o := range won {
				if o.Owner != id || o.Epoch != 1 {
					t.Errorf("won %+v", o)
				}
				wins[o.Partition].Add(1)
			}
		})
	}
	all.Wait()
	for p := range wins {
		if n := wins[p].Load(); n != 1 {
			t.Errorf("partition %d has %d winners", p, n)
		}
	}
}

// An owner whose lease has run out renews while another process claims from it. Either the claim comes first, and the
// view that the renewal returns shows it, or the renewal does, and the claim wins nothing.
func testClaimAgainstRenew(t *testing.T, f *fixture) {
	s := f.open(t)
	for p := range uint32(partitions) {
		owner, claimer := member(t, s, p), join(t, s, hour)
		_, err := s.Renew(t.Context(), owner, past)
		must(t, err)
		var won []flush.Ownership
		var errClaim error
		var claim sync.WaitGroup
		claim.Go(func() {
			won, errClaim = s.Claim(t.Context(), claimer, []flush.Ownership{owned(p, owner, 1)})
		})
		v, err := s.Renew(t.Context(), owner, hour)
		claim.Wait()
		must(t, errors.Join(err, errClaim))
		if seen := v.Owners[p].Owner == claimer; seen != (len(won) == 1) {
			t.Fatalf("partition %d: won %v, but the owner's view shows %+v", p, won, v.Owners[p])
		}
	}
}
