package flush_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func testCloseNode(t *testing.T, f *fixture) {
	s := f.open(t)
	ctx := t.Context()
	id, left, vanished := member(t, s, 0, 1), join(t, s, hour), join(t, s, hour)
	for p := range uint32(2) {
		b := batch(p, left, 0, 1)
		b.Moves = append(b.Moves, flush.Move{Origin: vanished, From: 0, To: 2})
		apply(t, s, request(id, b))
	}
	for range 2 { // a repetition changes nothing
		must(t, s.CloseNode(ctx, left, true))
		must(t, s.CloseNode(ctx, vanished, false))
		must(t, s.CloseNode(ctx, newID(), true))
		want := map[string]uint64{row(0, vanished): 2, row(1, vanished): 2}
		if diff := cmp.Diff(want, ledgerMap(ledger(t, s))); diff != "" {
			t.Fatal(diff)
		}
	}
	if v, err := s.View(ctx); err != nil || len(v.Nodes) != 1 || v.Nodes[0].ID != id {
		t.Errorf("%+v, %v", v.Nodes, err)
	}
	must(t, s.CloseNode(ctx, vanished, true)) // all was persisted after all
	if rows := ledger(t, s); len(rows) != 0 {
		t.Errorf("ledger %v", rows)
	}
}

func testExpire(t *testing.T, f *fixture) {
	s := f.open(t)
	ctx := t.Context()
	id, closed, vanished, late := member(t, s, 0), join(t, s, hour), join(t, s, hour), join(t, s, hour)
	b := batch(0, id, 0, 1)
	for i, origin := range []flush.Move{{Origin: closed}, {Origin: vanished}, {Origin: late}} {
		b.Moves = append(b.Moves, flush.Move{Origin: origin.Origin, From: 0, To: uint64(i + 2)})
	}
	apply(t, s, request(id, b))
	must(t, s.CloseNode(ctx, closed, false))
	_, err := s.Renew(ctx, vanished, -10*hour)
	must(t, err)
	_, err = s.Renew(ctx, late, past)
	must(t, err)

	n, err := s.Expire(ctx, 5*hour) // only the one that vanished ten hours ago
	must(t, err)
	want := map[string]uint64{row(0, id): 1, row(0, closed): 2, row(0, late): 4}
	if diff := cmp.Diff(want, ledgerMap(ledger(t, s))); n != 1 || diff != "" {
		t.Fatalf("removed %d; %s", n, diff)
	}
	if _, err := s.Renew(ctx, vanished, hour); !errors.Is(err, flush.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if res := refused(t, s, request(id, batch(0, vanished, 0, 1, "k", 1))); !res.Ledger[0].Refused {
		t.Errorf("%+v", res)
	}

	n, err = s.Expire(ctx, 0) // all but the living
	must(t, err)
	if diff := cmp.Diff(map[string]uint64{row(0, id): 1}, ledgerMap(ledger(t, s))); n != 2 || diff != "" {
		t.Errorf("removed %d; %s", n, diff)
	}
	if n, err = s.Expire(ctx, 0); n != 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if left := f.query(t, "select count(*) from nodes"); left != "1" {
		t.Errorf("%s processes left", left)
	}
}

func testRead(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	apply(t, s, request(id, batch(0, id, 0, 3, "a", 1, "B", 2, "%", 3), batch(1, id, 0, 4, "ключ", 4)))
	snap, err := s.Read(t.Context(), []string{"a", "ключ", "A", "absent", "b", "_", "nul\x00", "\xff", "%"}, []uint32{1, 7}, nil)
	must(t, err)
	want := flush.Snapshot{
		Values: map[string]int64{"a": 1, "ключ": 4, "%": 3},
		Ledger: []flush.LedgerRow{{Partition: 1, Origin: id, Number: 4}},
		IDs:    map[flush.IDRef]flush.IDRow{},
	}
	if diff := cmp.Diff(want, snap); diff != "" {
		t.Error(diff)
	}
	snap, err = s.Read(t.Context(), nil, nil, nil)
	if err != nil || len(snap.Values) != 0 || len(snap.Ledger) != 0 {
		t.Errorf("%+v, %v", snap, err)
	}
}

// Each flush adds what it moves, so that a read that is one snapshot sees value == number.
func testReadSnapshot(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		defer cancel()
		for n := range uint64(60) {
			if res, err := s.Flush(t.Context(), request(id, batch(0, id, n, n+1, "k", 1))); err != nil || !res.Applied {
				t.Errorf("%+v, %v", res, err)
				return
			}
		}
	})
	for ctx.Err() == nil {
		snap, err := s.Read(t.Context(), []string{"k"}, []uint32{0}, nil)
		must(t, err)
		if len(snap.Ledger) == 1 && uint64(snap.Values["k"]) != snap.Ledger[0].Number {
			t.Fatalf("%+v", snap)
		}
	}
	writer.Wait()
}

func testAdopt(t *testing.T, f *fixture) {
	s := f.open(t)
	id, late, closed := member(t, s, 0, 1, 2), join(t, s, past), join(t, s, hour)
	apply(t, s, request(id, batch(0, id, 0, 1), batch(1, late, 0, 2), batch(2, closed, 0, 3)))
	must(t, s.CloseNode(t.Context(), closed, false))
	a, err := s.Adopt(t.Context(), []uint32{1, 2, 6})
	must(t, err)
	want := []flush.LedgerRow{{Partition: 1, Origin: late, Number: 2}, {Partition: 2, Origin: closed, Number: 3}}
	if diff := cmp.Diff(want, a.Ledger); diff != "" {
		t.Error(diff)
	}
	if len(a.Nodes) != 2 {
		t.Fatalf("%+v", a.Nodes)
	}
	for _, n := range a.Nodes {
		if n.HTTPAddr != "h:1" || n.PeerAddr != "p:2" || n.GossipAddr != "g:3" || (n.LeaseLeft < 0) != (n.ID == late) {
			t.Errorf("%+v", n)
		}
	}
}

// listKeys are in byte order.
var listKeys = []string{
	"%", "%a", "A", "a", "a%", "a%b", "a_", "a_b", "aa", "ab", "b", "z", "\u007f", "é", "éa", "\ud7ff", "\ud7ffx",
	"\ue000", "\U0010FFFF", "\U0010FFFFa", "\U0010FFFF\U0010FFFF",
}

func writeListKeys(t *testing.T, s flush.Store) {
	t.Helper()
	id := member(t, s, 0)
	b := batch(0, id, 0, 1)
	for i, key := range listKeys {
		b.Deltas = append(b.Deltas, flush.Delta{Key: key, Delta: int64(i)})
	}
	slices.Reverse(b.Deltas)
	apply(t, s, request(id, b))
}

func testList(t *testing.T, f *fixture) {
	s := f.open(t)
	writeListKeys(t, s)
	for _, limit := range []int{1, 4, len(listKeys), 100} {
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			page, err := s.List(t.Context(), "", after, limit)
			must(t, err)
			if len(page) > limit {
				t.Fatalf("%d in a page of %d", len(page), limit)
			}
			for _, kv := range page {
				if kv.Value != int64(slices.Index(listKeys, kv.Key)) {
					t.Errorf("%+v", kv)
				}
				got = append(got, kv.Key)
			}
			if len(page) < limit {
				break
			}
		}
		if diff := cmp.Diff(listKeys, got); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
	for _, limit := range []int{0, -1} {
		if page, err := s.List(t.Context(), "", "", limit); err != nil || len(page) != 0 {
			t.Errorf("limit %d: %v, %v", limit, page, err)
		}
	}
}

func testListPrefix(t *testing.T, f *fixture) {
	s := f.open(t)
	writeListKeys(t, s)
	for _, prefix := range append(slices.Clone(listKeys), "", "absent", "aa", "\U0010FFFF\U0010FFFF\U0010FFFF") {
		for _, after := range []string{"", "a%", "b", prefix} {
			var want []string
			for _, key := range listKeys {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			page, err := s.List(t.Context(), prefix, after, 100)
			must(t, err)
			var got []string
			for _, kv := range page {
				got = append(got, kv.Key)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("prefix %q after %q: %s", prefix, after, diff)
			}
		}
	}
	for _, bad := range []string{"\xff", "a\x00"} {
		_, errPrefix := s.List(t.Context(), bad, "", 1)
		_, errAfter := s.List(t.Context(), "", bad, 1)
		for _, err := range []error{errPrefix, errAfter} {
			var data *flush.DataError
			if !errors.As(err, &data) {
				t.Errorf("%q: got %v", bad, err)
			}
		}
	}
}
