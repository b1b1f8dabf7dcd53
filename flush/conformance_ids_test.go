package flush_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// withIDs has the batch record key, id, key, id, ...
func withIDs(b flush.Batch, names ...string) flush.Batch {
	for i := 0; i < len(names); i += 2 {
		b.IDs = append(b.IDs, flush.IDRow{Key: names[i], ID: names[i+1], Fingerprint: uint64(i + 1), Result: int64(i + 7)})
	}
	return b
}

// keeping is a request whose ids are kept for some time.
func keeping(keep time.Duration, node uuid.UUID, batches ...flush.Batch) *flush.Request {
	r := request(node, batches...)
	r.KeepIDs = keep
	return r
}

// recorded returns the number of records.
func (f *fixture) recorded(t *testing.T) string {
	t.Helper()
	return f.query(t, "select count(*) from idempotency_keys")
}

func testIDs(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	rows := []flush.IDRow{
		{Key: "b", ID: "x", Fingerprint: math.MaxUint64, Result: math.MinInt64},
		{Key: "b", ID: "X", Fingerprint: 1 << 63, Result: math.MaxInt64},
		{Key: "a", ID: strings.Repeat("~", 255)},
		{Key: "\x00\xff", ID: "\x00 any", Fingerprint: 3, Result: -1},
	}
	first, second := batch(0, id, 0, 3, "b", 5), batch(1, id, 0, 1)
	first.IDs, second.IDs = rows[:2], rows[2:]
	dry := keeping(hour, id, first, second)
	dry.DryRun = true
	apply(t, s, dry)
	if n := f.recorded(t); n != "0" {
		t.Fatalf("%s records of a dry run", n)
	}
	apply(t, s, keeping(hour, id, first, second))

	refs, want := []flush.IDRef{{Key: "b", ID: "absent"}, {Key: "a", ID: "x"}}, map[flush.IDRef]flush.IDRow{}
	for _, r := range rows {
		refs, want[r.Ref()] = append(refs, r.Ref()), r
	}
	snap, err := s.Read(t.Context(), []string{"b"}, []uint32{0}, refs)
	must(t, err)
	if diff := cmp.Diff(flush.Snapshot{
		Values: map[string]int64{"b": 5}, IDs: want,
		Ledger: []flush.LedgerRow{{Partition: 0, Origin: id, Number: 3}},
	}, snap); diff != "" {
		t.Error(diff)
	}
}

func testIDsTaken(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	r := keeping(hour, id, withIDs(batch(0, id, 0, 1, "a", 1), "a", "1", "a", "2"))
	apply(t, s, r)

	// Beginning with what was not there and would be written first.
	res := refused(t, s, keeping(hour, id, withIDs(batch(1, id, 0, 1, "A", 1), "A", "1"),
		withIDs(batch(0, id, 1, 2, "a", 1), "a", "0", "a", "2", "a", "1", "a", "3")))
	if len(res.IDs) == 2 && res.IDs[0].ID == "2" {
		res.IDs[0], res.IDs[1] = res.IDs[1], res.IDs[0]
	}
	want := flush.Result{IDs: []flush.IDRef{{Key: "a", ID: "1"}, {Key: "a", ID: "2"}}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
	// A repetition is told from its ledger row, so that its own record is no conflict.
	res = refused(t, s, r)
	want = flush.Result{Ledger: []flush.Mismatch{{Partition: 0, Origin: id, Number: 1}}}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Error(diff)
	}
	if n := f.recorded(t); n != "2" {
		t.Errorf("%s records", n)
	}
}

func testIDsExpired(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	old := withIDs(batch(0, id, 0, 1, "a", 1), "a", "1")
	apply(t, s, keeping(past, id, old))
	ref := old.IDs[0].Ref()
	read := func() flush.IDRow {
		snap, err := s.Read(t.Context(), nil, nil, []flush.IDRef{ref})
		must(t, err)
		return snap.IDs[ref]
	}
	if got := read(); got != old.IDs[0] {
		t.Errorf("an expired record counts while it stands, but got %+v", got)
	}
	again := withIDs(batch(0, id, 1, 2, "a", 1), "a", "1")
	again.IDs[0].Fingerprint, again.IDs[0].Result = 99, 98
	apply(t, s, keeping(hour, id, again))
	if got := read(); got != again.IDs[0] {
		t.Errorf("overwritten, it is %+v", got)
	}
	if res := refused(t, s, keeping(hour, id, withIDs(batch(0, id, 2, 3), "a", "1"))); len(res.IDs) != 1 {
		t.Errorf("%+v: the new record counts", res)
	}
}

func testIDsAtomic(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	b := withIDs(batch(0, id, 0, 1, "max", math.MaxInt64), "max", "1")
	apply(t, s, keeping(hour, id, b))
	unchanged(t, s, keeping(hour, id, withIDs(batch(0, id, 1, 2, "max", 1), "max", "2")), "22003")
	refused(t, s, keeping(hour, newID(), withIDs(batch(0, id, 1, 2, "a", 1), "a", "1")))
	refused(t, s, keeping(hour, id, withIDs(batch(0, id, 0, 2, "a", 1), "a", "1")))
	if n := f.recorded(t); n != "1" {
		t.Errorf("%s records", n)
	}
	// What goes to quarantine counts all the same, also under a key that is no text.
	bad := withIDs(batch(0, id, 1, 2, "max", 1, "no text\xff", 2), "max", "2", "no text\xff", "1")
	r := keeping(hour, id, bad)
	r.Quarantine = map[string]string{"max": "too large", "no text\xff": "no text"}
	apply(t, s, r)
	snap, err := s.Read(t.Context(), nil, nil, []flush.IDRef{bad.IDs[0].Ref(), bad.IDs[1].Ref()})
	must(t, err)
	if len(snap.IDs) != 2 {
		t.Errorf("%+v", snap.IDs)
	}
}

func testIDsMalformed(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	noMove := withIDs(batch(0, id, 0, 1), "a", "1")
	noMove.Moves = nil
	for name, r := range map[string]*flush.Request{
		"no move":        keeping(hour, id, noMove),
		"no time":        request(id, withIDs(batch(0, id, 0, 1), "a", "1")),
		"empty id":       keeping(hour, id, withIDs(batch(0, id, 0, 1), "a", "")),
		"id too long":    keeping(hour, id, withIDs(batch(0, id, 0, 1), "a", strings.Repeat("x", 256))),
		"key too long":   keeping(hour, id, withIDs(batch(0, id, 0, 1), strings.Repeat("x", 2049), "1")),
		"twice":          keeping(hour, id, withIDs(batch(0, id, 0, 1), "a", "1", "b", "1", "a", "1")),
		"in two batches": keeping(hour, id, withIDs(batch(0, id, 0, 1), "a", "1"), withIDs(batch(1, id, 0, 1), "a", "1")),
	} {
		if _, err := s.Flush(t.Context(), r); !errors.Is(err, flush.ErrRequest) {
			t.Errorf("%s: got %v, want ErrRequest", name, err)
		}
	}
	if n := f.recorded(t); n != "0" {
		t.Errorf("%s records", n)
	}
}

// Two owners of different partitions, which nothing but the record keeps apart, and each of them twice.
func testIDsConcurrently(t *testing.T, f *fixture) {
	s := f.open(t)
	const rounds = 15
	owners := []uuid.UUID{member(t, s, 0), member(t, s, 1), member(t, s, 2)}
	numbers := make([]uint64, len(owners))
	for round := range rounds {
		var won atomic.Int32
		var all sync.WaitGroup
		name := fmt.Sprint("id ", round)
		for i, owner := range owners {
			all.Go(func() {
				b := withIDs(batch(uint32(i), owner, numbers[i], numbers[i]+1, "k", 1), "k", name, fmt.Sprint("own ", i), name)
				res, err := s.Flush(t.Context(), keeping(hour, owner, b))
				switch {
				case err != nil:
					t.Errorf("%v: a conflict is an answer", err)
				case res.Applied:
					won.Add(1)
					numbers[i]++
				case len(res.IDs) != 1 || res.IDs[0] != (flush.IDRef{Key: "k", ID: name}):
					t.Errorf("%+v", res)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("round %d was counted %d times", round, won.Load())
		}
	}
	if v, _ := value(t, s, "k"); v != rounds {
		t.Errorf("value %d after %d rounds", v, rounds)
	}
	if n := f.recorded(t); n != fmt.Sprint(2*rounds) {
		t.Errorf("%s records: the losers must leave none", n)
	}
}

func testExpireIDs(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	b := batch(0, id, 0, 1)
	for i := range 25 {
		b = withIDs(b, "k", fmt.Sprint("old ", i))
	}
	apply(t, s, keeping(past, id, b))
	apply(t, s, keeping(hour, id, withIDs(batch(0, id, 1, 2), "k", "good")))
	for _, want := range []int{10, 10, 5, 0} {
		if n, err := s.ExpireIDs(t.Context(), 10); err != nil || n != want {
			t.Errorf("%d, %v; want %d", n, err, want)
		}
	}
	if n := f.recorded(t); n != "1" {
		t.Errorf("%s records left", n)
	}
}

// A process that vanished may come back with a log, in which an operation waits whose id was counted elsewhere since.
func testExpireIDsVanished(t *testing.T, f *fixture) {
	for name, end := range map[string]func(s flush.Store, vanished uuid.UUID) error{
		"renewed": func(s flush.Store, vanished uuid.UUID) error {
			_, err := s.Renew(t.Context(), vanished, hour)
			return err
		},
		"closed": func(s flush.Store, vanished uuid.UUID) error { return s.CloseNode(t.Context(), vanished, false) },
		"expired": func(s flush.Store, _ uuid.UUID) error {
			_, err := s.Expire(t.Context(), time.Minute)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { checkVanished(t, f, end) })
	}
}

func checkVanished(t *testing.T, f *fixture, end func(flush.Store, uuid.UUID) error) {
	s := f.open(t)
	id, vanished := join(t, s, hour), join(t, s, past)
	v, err := s.View(t.Context())
	must(t, err)
	_, err = s.Claim(t.Context(), id, []flush.Ownership{v.Owners[0]})
	must(t, err)
	b := withIDs(batch(0, id, 0, 1), "k", "before it")
	b.Epoch = v.Owners[0].Epoch + 1
	apply(t, s, keeping(past, id, b))
	b = withIDs(batch(0, id, 1, 2), "k", "since")
	b.Epoch = v.Owners[0].Epoch + 1
	apply(t, s, keeping(time.Microsecond, id, b))
	expire := func(want int) {
		t.Helper()
		if n, err := s.ExpireIDs(t.Context(), 10); err != nil || n != want {
			t.Errorf("%d, %v; want %d", n, err, want)
		}
	}
	expire(1)
	expire(0)
	must(t, end(s, vanished))
	expire(1)
	must(t, s.CloseNode(t.Context(), id, true))
	must(t, s.CloseNode(t.Context(), vanished, true))
}
