package flush_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// sortedResult puts what did not match in order: stores may report it in any.
func sortedResult(r flush.Result) flush.Result {
	slices.SortFunc(r.Owners, func(a, b flush.Ownership) int { return cmp.Compare(a.Partition, b.Partition) })
	slices.SortFunc(r.Ledger, func(a, b flush.Mismatch) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Origin.String(), b.Origin.String()))
	})
	if len(r.Owners) == 0 {
		r.Owners = nil
	}
	if len(r.Ledger) == 0 {
		r.Ledger = nil
	}
	return r
}

func testFlushOverflow(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	apply(t, s, request(id, batch(0, id, 0, 1, "max", math.MaxInt64, "min", math.MinInt64, "a", 1)))
	for i, deltas := range [][]any{
		{"max", 1}, {"max", math.MaxInt64}, {"min", -1}, {"min", math.MinInt64}, {"a", math.MaxInt64},
	} {
		unchanged(t, s, request(id, batch(0, id, 1, 2, append(deltas, "z", 1)...)), "22003")
		if t.Failed() {
			t.Fatal("case", i)
		}
	}
	res := apply(t, s, request(id, batch(0, id, 1, 2, "max", math.MinInt64, "min", math.MaxInt64, "a", math.MaxInt64-1)))
	for i, want := range []int64{-1, -1, math.MaxInt64} {
		if res.Values[i].Value != want {
			t.Errorf("%+v, want %d", res.Values[i], want)
		}
	}
}

func testFlushNotText(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	for _, key := range []string{"nul\x00", "\xff", "cut \xe2\x82", "surrogate \xed\xa0\x80"} {
		unchanged(t, s, request(id, batch(0, id, 0, 1, "fine", 1, key, 1)), "22021")
	}
}

func testFlushTrigger(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	f.query(t, f.sql(`create function refuse() returns trigger language plpgsql as
			$$ begin if new.key = 'bad' then raise exception 'no such counter'; end if; return new; end $$;
		create constraint trigger refuse after insert on counters deferrable initially deferred
			for each row execute function refuse()`,
		`create trigger refuse before insert on counters when new.key = 'bad' begin select raise(abort, 'no such counter'); end`))
	unchanged(t, s, request(id, batch(0, id, 0, 1, "good", 1, "bad", 1)), "P0001")
	dry := request(id, batch(0, id, 0, 1, "good", 1, "bad", 1))
	dry.DryRun = true
	unchanged(t, s, dry, "P0001") // even what would speak only at the commit
	apply(t, s, request(id, batch(0, id, 0, 1, "good", 1)))
}

func testFlushTriggerDrops(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0)
	f.query(t, f.sql(`create function dropped() returns trigger language plpgsql as
			$$ begin if new.key = 'bad' then return null; end if; return new; end $$;
		create trigger dropped before insert on counters for each row execute function dropped()`,
		`create trigger dropped before insert on counters when new.key = 'bad' begin select raise(ignore); end`))
	unchanged(t, s, request(id, batch(0, id, 0, 1, "good", 1, "bad", 1)), "27000")
}

// What moves no ledger row must add no delta, whoever is in the way: here a trigger, which no lock keeps out.
func testFlushTriggerDropsMove(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 1)
	apply(t, s, request(id, batch(0, id, 0, 1, "a", 1)))
	f.query(t, f.sql(`create function dropped() returns trigger language plpgsql as $$ begin return null; end $$;
		create trigger dropped before insert or update on ledger for each row when (new.number = 13) execute function dropped()`,
		`create trigger dropped before insert on ledger when new.number = 13 begin select raise(ignore); end`))
	for name, b := range map[string]flush.Batch{
		"a row that stands": batch(0, id, 1, 13, "a", 1), "a new row": batch(1, id, 0, 13, "b", 1),
	} {
		before := contents(t, s)
		if res, err := s.Flush(t.Context(), request(id, b)); err == nil {
			t.Errorf("%s: %+v without an error", name, res)
		}
		if after := contents(t, s); after != before {
			t.Errorf("%s: before %s\nafter %s", name, before, after)
		}
	}
}

func testFlushQuarantine(t *testing.T, f *fixture) {
	s := f.open(t)
	id := member(t, s, 0, 4)
	apply(t, s, request(id, batch(0, id, 0, 1, "full", math.MaxInt64)))
	r := request(id, batch(0, id, 1, 9, "full", 7, "fine", 1), batch(4, id, 0, 1, "nul\x00", math.MinInt64, "\xff", 2))
	r.Quarantine = map[string]string{"full": "range", "nul\x00": "not text\x00", "\xff": "not text"}
	res := apply(t, s, r)
	if len(res.Values) != 1 || res.Values[0] != (flush.KeyValue{Key: "fine", Value: 1}) {
		t.Errorf("values %v", res.Values)
	}
	got := f.query(t, "select partition, key, "+f.sql("encode(raw_key, 'hex')", "lower(hex(raw_key))")+
		", delta, node, reason from quarantine order by id")
	want := strings.Join([]string{
		fmt.Sprintf("0|full||7|%s|range", id),
		fmt.Sprintf(`4|"nul\x00"|6e756c00|%d|%s|"not text\x00"`, math.MinInt64, id),
		fmt.Sprintf(`4|"\xff"|ff|2|%s|not text`, id),
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if m := ledgerMap(ledger(t, s)); m[row(0, id)] != 9 || m[row(4, id)] != 1 {
		t.Errorf("ledger %v", m)
	}
	if v, _ := value(t, s, "full"); v != math.MaxInt64 {
		t.Errorf("value %d", v)
	}
	refused(t, s, r) // a repetition sets nothing aside a second time
	if n := f.query(t, "select count(*) from quarantine"); n != "3" {
		t.Errorf("%s rows in quarantine", n)
	}
}

func testFlushDry(t *testing.T, f *fixture) {
	s := f.open(t)
	id, heir := member(t, s, 0), join(t, s, hour)
	b := batch(0, id, 0, 1, "a", 1, "b", 2, "c", 3)
	b.NewOwner = heir
	r := request(id, b)
	r.DryRun, r.Quarantine = true, map[string]string{"b": "reason"}
	before := contents(t, s)
	res := apply(t, s, r)
	if len(res.Values) != 2 || res.Values[1] != (flush.KeyValue{Key: "c", Value: 3}) {
		t.Errorf("%+v", res)
	}
	if after := contents(t, s); after != before {
		t.Errorf("before %s\nafter %s", before, after)
	}
	if n := f.query(t, "select count(*) from quarantine"); n != "0" {
		t.Errorf("%s rows in quarantine", n)
	}
	r.Batches[0].Epoch = 9
	if res := refused(t, s, r); len(res.Owners) != 1 {
		t.Errorf("%+v", res)
	}
	over := request(id, batch(0, id, 0, 1, "a", 1))
	apply(t, s, over)
	over = request(id, batch(0, id, 1, 2, "a", math.MaxInt64))
	over.DryRun = true
	unchanged(t, s, over, "22003")
}
