package flush_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func testFlush(t *testing.T, f *fixture) {
	s := f.open(t)
	id, other := member(t, s, 0, 1), join(t, s, hour)
	first := batch(0, id, 0, 3, "b", 5, "a", -2)
	first.Moves = append(first.Moves, flush.Move{Origin: other, From: 0, To: 7})
	res := apply(t, s, request(id, first, batch(1, id, 0, 1, "c", math.MaxInt64)))
	want := []flush.KeyValue{{Key: "b", Value: 5}, {Key: "a", Value: -2}, {Key: "c", Value: math.MaxInt64}}
	if diff := cmp.Diff(want, res.Values); diff != "" {
		t.Fatal(diff)
	}
	second := batch(0, id, 3, 4, "a", 12, "z", 1)
	second.Moves = append(second.Moves, flush.Move{Origin: other, From: 7, To: 9})
	res = apply(t, s, request(id, second, batch(1, other, 0, 2, "c", math.MinInt64)))
	want = []flush.KeyValue{{Key: "a", Value: 10}, {Key: "z", Value: 1}, {Key: "c", Value: -1}}
	if diff := cmp.Diff(want, res.Values); diff != "" {
		t.Fatal(diff)
	}
	wantLedger := map[string]uint64{row(0, id): 4, row(0, other): 9, row(1, id): 1, row(1, other): 2}
	if diff := cmp.Diff(wantLedger, ledgerMap(ledger(t, s))); diff != "" {
		t.Error(diff)
	}
	if got := f.query(t, `select key, value, updated_at >= inserted_at from counters where key in ('a', 'c') order by key`); got !=
		f.sql("a|10|t\nc|-1|t", "a|10|1\nc|-1|1") {
		t.Errorf("people read %q", got)
	}
}

func row(partition uint32, origin uuid.UUID) string { return fmt.Sprintf("%d %s", partition, origin) }

func ledgerMap(rows []flush.LedgerRow) map[string]uint64 {
	m := map[string]uint64{}
	for _, r := range rows {
		m[row(r.Partition, r.Origin)] = r.Number
	}
	return m
}

func testFlushOrder(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 5, 2)
	r := request(id, batch(5, id, 0, 1, "y", 1, "é", 2, "\U0001F600", 3, "B", 4), batch(2, id, 0, 1, "z", 5, "a", 6, "x", 7))
	r.Quarantine = map[string]string{"B": "reason", "absent": "reason"}
	want := []flush.KeyValue{
		{Key: "y", Value: 1},
		{Key: "é", Value: 2},
		{Key: "\U0001F600", Value: 3},
		{Key: "z", Value: 5},
		{Key: "a", Value: 6},
		{Key: "x", Value: 7},
	}
	if diff := cmp.Diff(want, apply(t, s, r).Values); diff != "" {
		t.Error(diff)
	}
}

func testFlushZero(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	apply(t, s, request(id, batch(0, id, 0, 1, "new", 0)))
	if v, ok := value(t, s, "new"); !ok || v != 0 {
		t.Errorf("%d, %v", v, ok)
	}
	// Moves alone: refused operations have numbers but no delta. A request may even be empty.
	apply(t, s, request(id, batch(0, id, 1, 2)))
	apply(t, s, request(id))
	if n := ledger(t, s)[0].Number; n != 2 {
		t.Errorf("ledger at %d", n)
	}
}

func testFlushNotOwner(t *testing.T, f *fixture) {
	s := f.open(t)
	id, other := member(t, s, 0, 1), member(t, s, 2)
	stale := batch(1, id, 0, 1, "stale", 1)
	stale.Epoch = 2
	res := refused(t, s, request(id,
		batch(0, id, 0, 1, "mine", 1), stale, batch(2, id, 0, 1, "other's", 1), batch(3, id, 0, 1, "nobody's", 1),
		batch(partitions, id, 0, 1, "nowhere", 1)))
	want := flush.Result{Owners: []flush.Ownership{
		owned(1, id, 1), owned(2, other, 1), owned(3, uuid.Nil, 0), owned(partitions, uuid.Nil, 0),
	}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
}

func testFlushLedgerDiffers(t *testing.T, f *fixture) {
	s := f.open(t)
	id, other := member(t, s, 0, 1), join(t, s, hour)
	apply(t, s, request(id, batch(0, id, 0, 5, "a", 1), batch(1, id, 0, 5, "b", 1)))
	fits := batch(0, id, 5, 6, "a", 1)
	fits.Moves = append(fits.Moves, flush.Move{Origin: other, From: 4, To: 6}) // has no row
	res := refused(t, s, request(id, fits, batch(1, id, 0, 1, "b", 1)))
	want := flush.Result{Ledger: []flush.Mismatch{
		{Partition: 0, Origin: other, Number: 0},
		{Partition: 1, Origin: id, Number: 5},
	}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
}

func testFlushRepeated(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	r := request(id, batch(0, id, 0, 5, "a", 1))
	apply(t, s, r)
	res := refused(t, s, r)
	want := flush.Result{Ledger: []flush.Mismatch{{Partition: 0, Origin: id, Number: 5}}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
}

func testFlushHandOver(t *testing.T, f *fixture) {
	s := f.open(t)
	id, heir := member(t, s, 0, 1, 2), join(t, s, hour)
	busy, idle := batch(0, id, 0, 5, "a", 1), flush.Batch{Partition: 1, Epoch: 1, NewOwner: heir}
	busy.NewOwner = heir
	stays := batch(2, id, 0, 1, "b", 1)
	r := request(id, busy, idle, stays)
	apply(t, s, r)
	v, err := s.View(t.Context())
	must(t, err)
	if diff := cmp.Diff([]flush.Ownership{owned(0, heir, 2), owned(1, heir, 2), owned(2, id, 1)}, v.Owners[:3]); diff != "" {
		t.Fatal(diff)
	}
	res := refused(t, s, r) // the repetition of a hand-over whose answer was lost sees both
	want := flush.Result{
		Owners: []flush.Ownership{owned(0, heir, 2), owned(1, heir, 2)},
		Ledger: []flush.Mismatch{{Partition: 0, Origin: id, Number: 5}, {Partition: 2, Origin: id, Number: 1}},
	}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
	next := batch(0, id, 5, 6, "a", 1)
	next.Epoch = 2
	apply(t, s, request(heir, next))
}

func testFlushRefused(t *testing.T, f *fixture) {
	s := f.open(t)
	id, closed, unknown := member(t, s, 0), join(t, s, hour), newID()
	apply(t, s, request(id, batch(0, closed, 0, 4, "a", 1)))
	must(t, s.CloseNode(t.Context(), closed, true)) // its row goes
	b := batch(0, id, 0, 1, "a", 1)
	b.Moves = append(b.Moves, flush.Move{Origin: closed, From: 0, To: 4}, flush.Move{Origin: unknown, From: 0, To: 1})
	res := refused(t, s, request(id, b))
	want := []flush.Mismatch{
		{Partition: 0, Origin: closed, Refused: true},
		{Partition: 0, Origin: unknown, Refused: true},
	}
	if diff := cmp.Diff(want, sortedResult(res).Ledger); diff != "" {
		t.Error(diff)
	}
	res = refused(t, s, request(id, batch(0, closed, 4, 5, "a", 1)))
	if diff := cmp.Diff(want[:1], res.Ledger); diff != "" {
		t.Error(diff)
	}
}

func testFlushClosedOriginsRow(t *testing.T, f *fixture) {
	s := f.open(t)
	id, closed := member(t, s, 0), join(t, s, hour)
	apply(t, s, request(id, batch(0, closed, 0, 4, "a", 1)))
	must(t, s.CloseNode(t.Context(), closed, false))
	apply(t, s, request(id, batch(0, closed, 4, 6, "a", 2))) // the owner still held these
	if v, _ := value(t, s, "a"); v != 3 {
		t.Errorf("value %d", v)
	}
}

// A paused owner wakes up and flushes while its successor claims and flushes the same operations: one of them wins.
func testFlushRace(t *testing.T, f *fixture) {
	s := f.open(t)
	origin := join(t, s, hour)
	for p := range uint32(partitions) {
		zombie, heir := member(t, s, p), join(t, s, hour)
		_, err := s.Renew(t.Context(), zombie, past)
		must(t, err)
		key := fmt.Sprint("key", p)
		var applied atomic.Int32
		var both sync.WaitGroup
		both.Go(func() {
			res, err := s.Flush(t.Context(), request(zombie, batch(p, origin, 0, 10, key, 10)))
			if err != nil {
				t.Error(err)
			} else if res.Applied {
				applied.Add(1)
			}
		})
		both.Go(func() {
			won, err := s.Claim(t.Context(), heir, []flush.Ownership{owned(p, zombie, 1)})
			if err != nil || len(won) != 1 {
				t.Errorf("claim: %v, %v", won, err)
			}
			b := batch(p, origin, 0, 10, key, 10)
			b.Epoch = 2
			res, err := s.Flush(t.Context(), request(heir, b))
			if err != nil {
				t.Error(err)
			} else if res.Applied {
				applied.Add(1)
			}
		})
		both.Wait()
		if v, _ := value(t, s, key); v != 10 || applied.Load() != 1 {
			t.Fatalf("partition %d: value %d after %d applied flushes", p, v, applied.Load())
		}
	}
}

// The same request is under way several times: a client that gave up, and its repetitions.
func testFlushSameConcurrently(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, allPartitions()...)
	const rounds, senders = 5, 4
	for round := range uint64(rounds) {
		r := request(id)
		for p := range uint32(partitions) {
			r.Batches = append(r.Batches, batch(p, id, round, round+1, fmt.Sprint("key", p), 1))
		}
		var applied atomic.Int32
		var all sync.WaitGroup
		for range senders {
			all.Go(func() {
				res, err := s.Flush(t.Context(), r)
				switch {
				case err != nil:
					t.Error(err)
				case res.Applied:
					applied.Add(1)
				case len(res.Owners) != 0 || len(res.Ledger) != partitions || res.Ledger[0].Number != round+1:
					t.Errorf("%+v", res)
				}
			})
		}
		all.Wait()
		if applied.Load() != 1 {
			t.Fatalf("round %d: applied %d times", round, applied.Load())
		}
	}
	if got := f.query(t, "select sum(value) from counters"); got != fmt.Sprint(rounds*partitions) {
		t.Errorf("sum %s", got)
	}
}

func testFlushMalformed(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	twice := batch(0, id, 0, 1)
	twice.Moves = append(twice.Moves, twice.Moves[0])
	unproven := batch(0, id, 0, 1, "k", 1)
	unproven.Moves = nil
	late := batch(0, id, 0, 1)
	late.Epoch = math.MaxInt64
	for name, r := range map[string]*flush.Request{
		"no node":            request(uuid.Nil, batch(0, id, 0, 1, "k", 1)),
		"partition twice":    request(id, batch(0, id, 0, 1, "k", 1), batch(0, id, 1, 2, "l", 1)),
		"key twice":          request(id, batch(0, id, 0, 1, "k", 1), batch(1, id, 0, 1, "k", 1)),
		"origin twice":       request(id, twice),
		"no move":            request(id, unproven),
		"move of nothing":    request(id, batch(0, id, 1, 1, "k", 1)),
		"move backwards":     request(id, batch(0, id, 2, 1, "k", 1)),
		"number too large":   request(id, batch(0, id, 0, math.MaxInt64+1, "k", 1)),
		"epoch too large":    request(id, late),
		"partition too high": request(id, batch(math.MaxUint32, id, 0, 1)),
	} {
		if _, err := s.Flush(t.Context(), r); !errors.Is(err, flush.ErrRequest) {
			t.Errorf("%s: got %v, want ErrRequest", name, err)
		}
	}
	if got := f.query(t, "select count(*) from ledger"); got != "0" {
		t.Errorf("%s ledger rows", got)
	}
}

func testFlushContextEnded(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := contents(t, s)
	if res, err := s.Flush(ctx, request(id, batch(0, id, 0, 1, "k", 1))); !errors.Is(err, context.Canceled) {
		t.Fatalf("%+v, %v", res, err)
	}
	if after := contents(t, s); after != before {
		t.Errorf("written: %s", after)
	}
}

func testFlushLarge(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	const each = 5_000
	batches := make([]flush.Batch, 2)
	for round := range uint64(2) {
		for p := range batches {
			batches[p] = batch(uint32(p), id, round, round+1)
			for i := range each {
				key := fmt.Sprintf("%d:%d", p, (i*7919)%each)
				batches[p].Deltas = append(batches[p].Deltas, flush.Delta{Key: key, Delta: int64(i)})
			}
		}
		res := apply(t, s, request(id, batches...))
		if len(res.Values) != 2*each {
			t.Fatalf("%d values", len(res.Values))
		}
		for i, v := range res.Values {
			d := batches[i/each].Deltas[i%each]
			if v.Key != d.Key || v.Value != d.Delta*int64(round+1) {
				t.Fatalf("value %d is %+v, want that of %+v", i, v, d)
			}
		}
	}
}
