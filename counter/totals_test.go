package counter

import (
	"fmt"
	"testing"
)

// heir returns a partition at the node third that took over from a crashed owner, with other and me awaited.
func heir(ledger map[Origin]uint64) *Partition {
	p := New(7, third)
	p.Acquire(2, ledger, []Origin{me, other, third}, []Origin{me, other, {9}})
	return p
}

func TestR8_ATotalIsTheStoresValueAndWhatIsAppliedBeyondTheLedger(t *testing.T) {
	p := owner(me, nil)
	if _, state := p.Total(Hash("k"), "k"); state != ReadMissing {
		t.Fatalf("state %d of a counter that nobody has read", state)
	}
	a := add(t, p, "k", 5)
	equal(t, "a total is told before the store was read", a.HasTotal, false)
	load(t, p, map[string]int64{"k": 100}, nil)
	total(t, p, "k", 105)
	a = add(t, p, "k", 1)
	equal(t, "total", fmt.Sprint(a.Total, a.HasTotal), "106 true")
	b, _ := p.Freeze()
	add(t, p, "k", 10)
	total(t, p, "k", 116)
	p.Done(b.Epoch, []Value{{"k", 106}}, nil)
	total(t, p, "k", 116)
	flush(t, p) // resolved from the ledger: the values were not told
	total(t, p, "k", 116)
}

func TestR8_TheStoresWordAfterAFlushStands(t *testing.T) {
	p := owner(me, nil)
	load(t, p, map[string]int64{"k": 100}, nil)
	add(t, p, "k", 5)
	flush(t, p, Value{"k", 205}, Value{"never heard of", 1}) // somebody has written to the table
	total(t, p, "k", 205)
}

// A snapshot that was read while a batch was under way contains it or not: its ledger rows say which.
func TestR8_ALoadUsesTheLedgerOfItsSnapshot(t *testing.T) {
	own := func(p *Partition) { add(t, p, "k", 5) }
	others := func(p *Partition) { s := section(1, 5); p.Handle(other, &s, free, false) }
	for _, c := range []struct {
		name   string
		origin Origin
		change func(p *Partition)
	}{{"own operations", me, own}, {"another's operations", other, others}} {
		for _, included := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s included %v", c.name, included), func(t *testing.T) {
				p := owner(me, nil)
				c.change(p)
				b, _ := p.Freeze()
				add(t, p, "k", 1) // behind the batch
				value, ledger := int64(100), map[Origin]uint64{}
				if included {
					value, ledger = 105, map[Origin]uint64{c.origin: 1}
				}
				load(t, p, map[string]int64{"k": value, "untouched": 7}, ledger)
				total(t, p, "k", 106)
				total(t, p, "untouched", 7)
				p.Done(b.Epoch, nil, nil)
				total(t, p, "k", 106)
			})
		}
	}
}

func TestR8_ALoadThatRacedWithTheEndOfABatchIsNotUsed(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "k", 5)
	b, _ := p.Freeze()
	token, _ := p.BeginLoad()
	p.Done(b.Epoch, nil, nil)
	if p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 100}}) {
		t.Fatal("a snapshot from before the flush was used")
	}
	if _, state := p.Total(Hash("k"), "k"); state != ReadMissing {
		t.Fatalf("state %d", state)
	}
}

// Its ledger cannot tell: the origin had no row then, and its stream is not known any more.
func TestR8_ALoadThatRacedWithTheFirstBatchOfAnOriginThatHasClosedSinceIsNotUsed(t *testing.T) {
	p := owner(me, nil)
	s := Section{Epoch: 1, First: 1, Ops: []Op{{Key: "k", Delta: 5}}}
	p.Handle(other, &s, free, false)
	token, _ := p.BeginLoad()
	flush(t, p)
	p.RemoveOrigin(other)
	if p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 100}}) {
		t.Fatal("a snapshot from before the flush was used")
	}
}

func TestR8_ALoadOfAnotherEpochIsNotUsed(t *testing.T) {
	p := owner(me, nil)
	token, _ := p.BeginLoad()
	p.Learn(other, 2)
	if p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}}}) {
		t.Fatal("used without being the owner")
	}
	p.Acquire(3, nil, nil, nil)
	if p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}}}) {
		t.Fatal("used at another epoch")
	}
}

func TestR8_ALoadLeavesKnownCountersAlone(t *testing.T) {
	p := owner(me, nil)
	load(t, p, map[string]int64{"k": 5}, nil)
	load(t, p, map[string]int64{"k": 6}, nil)
	total(t, p, "k", 5)
}

func TestR8_ASettlingOwnerTellsNoTotals(t *testing.T) {
	p := heir(map[Origin]uint64{me: 3})
	load(t, p, map[string]int64{"k": 100}, map[Origin]uint64{me: 3})
	equal(t, "settling", p.IsSettling(), true)
	equal(t, "awaited", len(p.Settling()), 2) // who is unknown is not awaited
	if _, state := p.Total(Hash("k"), "k"); state != ReadSettle {
		t.Fatalf("state %d", state)
	}
	a := add(t, p, "k", 1)
	equal(t, "total of an own increment", a.HasTotal, false)
	equal(t, "handed over while settling", p.Release(me), false)

	// Increments do not wait, but their totals are not known.
	s := Section{Epoch: 2, First: 4, Answered: 5, Ops: []Op{{Key: "k", Delta: 10, Flags: Want}}}
	ans, loading := p.Handle(me, &s, free, false)
	equal(t, "loading", len(loading.Keys), 0)
	equal(t, "answer", fmt.Sprint(ans.Code, ans.Applied, ans.Results), fmt.Sprint(OK, 4, []OpResult{{4, NoTotal, 0}}))
	equal(t, "settled before operation 5 is there", p.IsSettling(), true)

	s = Section{Epoch: 2, First: 5, Answered: 5, Ops: []Op{{Key: "k", Delta: 20}}}
	p.Handle(me, &s, free, false)
	equal(t, "awaited", fmt.Sprint(p.Settling()), fmt.Sprint([]Origin{other}))
	s = Section{Epoch: 2, First: 1} // it holds nothing
	p.Handle(other, &s, free, false)
	equal(t, "settling", p.IsSettling(), false)
	total(t, p, "k", 131)
	equal(t, "handed over", p.Release(me), true)
}

func TestR8_SettlingEndsWithoutWhoIsGone(t *testing.T) {
	p := heir(nil)
	p.StopAwaiting(me)
	p.RemoveOrigin(other)
	equal(t, "settling", p.IsSettling(), false)
}

// Found by simulation: the crashed owner had applied an operation and shown it in a total, though its answer to the origin
// was lost. The next owner must have it before it tells totals.
func TestR8_ANewOwnerAwaitsWhatItsPredecessorMayHaveShown(t *testing.T) {
	p, crashed := follower(me, other), owner(other, nil)
	add(t, p, "k", 1)
	deliver(t, p, crashed)
	add(t, p, "k", 10)
	s := next(t, p, 10)
	crashed.Handle(me, &s, free, false) // and then it shows 11, and crashes
	p.Retry(s.Epoch)

	p.Learn(third, 2)
	to := heir(nil)
	to.StopAwaiting(other)
	first := next(t, p, 1)
	equal(t, "answered", first.Answered, 2)
	a, _ := to.Handle(me, &first, free, false)
	equal(t, "settling with a part of it", to.IsSettling(), true)
	p.Take(2, &a)
	deliver(t, p, to)
	equal(t, "settling with all of it", to.IsSettling(), false)
}

func TestR8_WantedTotalsAreReadFromTheStoreFirst(t *testing.T) {
	p := owner(me, nil)
	s := Section{Epoch: 1, First: 1, Ops: []Op{{Key: "a", Delta: 1}, {Key: "b", Delta: 1, Flags: Want}, {Key: "c", Delta: 1, Flags: Want}}}
	a, loading := p.Handle(other, &s, free, false)
	equal(t, "code", a.Code, Loading)
	equal(t, "loading", fmt.Sprint(loading.Keys), "[b c]")
	equal(t, "applied", a.Applied, 0)
	load(t, p, map[string]int64{"b": 10, "c": 20}, nil)
	a, loading = p.Handle(other, &s, free, false)
	equal(t, "loading", len(loading.Keys), 0)
	equal(t, "results", fmt.Sprint(a.Results), fmt.Sprint([]OpResult{{2, Total, 11}, {3, Total, 21}}))
	again := Section{Epoch: 1, First: 1, Ops: s.Ops} // a repeat waits for nothing
	a, _ = p.Handle(other, &again, free, false)
	equal(t, "code of a repeat", a.Code, OK)
}

func TestHandle_CountsWithoutTotalsWhenTheStoreCannotBeRead(t *testing.T) {
	p := owner(me, nil)
	s := Section{Epoch: 1, First: 1, Ops: []Op{{Key: "b", Delta: 1, Flags: Want}}}
	a, loading := p.Handle(other, &s, free, true)
	equal(t, "answer", fmt.Sprint(a.Code, a.Applied, a.Results, loading.Keys), fmt.Sprint(OK, 1, []OpResult{{1, NoTotal, 0}}, []string(nil)))
}

func TestShrink_LetsGoOfWhatTheStoreHasOnly(t *testing.T) {
	p := owner(me, nil)
	values := map[string]int64{}
	for i := range 100 {
		values[fmt.Sprint("clean", i)] = int64(i)
	}
	load(t, p, values, nil)
	add(t, p, "frozen", 1)
	p.Freeze()
	add(t, p, "dirty", 1)
	p.Shrink(Limits{MaxClean: 1000})
	all, _ := p.Counters()
	equal(t, "counters under the limit", all, 102)
	p.Shrink(Limits{MaxClean: 50})
	all, _ = p.Counters()
	equal(t, "counters", all, 52)
	p.Shrink(Limits{MaxClean: 0})
	all, dirty := p.Counters()
	equal(t, "counters", fmt.Sprint(all, dirty), "2 2")
	p.Done(1, []Value{{"frozen", 1}}, nil)
	total(t, p, "frozen", 1)
	p.Shrink(Limits{MaxClean: 0})
	if _, state := p.Total(Hash("frozen"), "frozen"); state != ReadMissing {
		t.Fatalf("state %d", state)
	}
	b, _ := p.Freeze()
	equal(t, "deltas", deltasOf(b), "dirty+1 ")
}

// R8: an owner whose own operations, which a former owner may have shown, wait for what the store says of their idempotency keys tells no
// totals until they are applied.
func TestR8_AnOwnerAwaitsItsOwnAnsweredOperations(t *testing.T) {
	p := New(1, me)
	p.Learn(other, 1)
	ref := IDRef{Key: "k", ID: "i"}
	if _, err := p.AddID(Hash("k"), ref, 3); err != nil {
		t.Fatal(err)
	}
	next(t, p, 10) // it has left: the owner may have shown it
	p.Acquire(2, nil, []Origin{other}, nil)
	if _, state := p.Total(Hash("k"), "k"); state != ReadSettle {
		t.Errorf("state %d, want that it settles", state)
	}
	want := p.Wanted()
	token, _ := p.BeginLoad()
	if !p.Loaded(token, &Snapshot{Wanted: want}) {
		t.Fatal("what was read is not used")
	}
	total(t, p, "k", 3)
}
