package counter

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func movesOf(b Batch) string {
	moves := slices.Clone(b.Moves)
	slices.SortFunc(moves, func(a, b Move) int { return cmp.Compare(a.Origin[0], b.Origin[0]) })
	text := ""
	for _, m := range moves {
		text += fmt.Sprintf("%d:%d-%d ", m.Origin[0], m.From, m.To)
	}
	return text
}

func deltasOf(b Batch) string {
	deltas := slices.Clone(b.Deltas)
	slices.SortFunc(deltas, func(a, b Delta) int { return cmp.Compare(a.Key, b.Key) })
	text := ""
	for _, d := range deltas {
		text += fmt.Sprintf("%s%+d ", d.Key, d.Delta)
	}
	return text
}

func TestR3_ABatchMovesTheLedgerTogetherWithExactlyItsDeltas(t *testing.T) {
	p := owner(me, map[Origin]uint64{other: 4})
	add(t, p, "a", 1)
	add(t, p, "b", 2)
	s := Section{Partition: 7, Epoch: 1, First: 5, Ops: []Op{{Key: "a", Delta: 10}, {Key: "c", Delta: 20}}}
	p.Handle(other, &s, free, false)
	b, ok := p.Freeze()
	equal(t, "frozen", ok, true)
	equal(t, "moves", movesOf(b), "1:0-2 2:4-6 ")
	equal(t, "deltas", deltasOf(b), "a+11 b+2 c+20 ")
	equal(t, "partition", b.Partition, 7)
	equal(t, "epoch", b.Epoch, 1)
}

func TestR3_ABatchNeverChangesAndTheNextOneHasTheRest(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 1)
	b, _ := p.Freeze()
	add(t, p, "a", 100)
	add(t, p, "b", 100)
	if _, ok := p.Freeze(); ok {
		t.Fatal("a second batch while the first is under way")
	}
	equal(t, "dirty while a batch is under way", p.Dirty(), false)
	equal(t, "deltas", deltasOf(b), "a+1 ")
	p.Done(1, nil, nil)
	b, _ = p.Freeze()
	equal(t, "moves of the next", movesOf(b), "1:1-3 ")
	equal(t, "deltas of the next", deltasOf(b), "a+100 b+100 ")
	p.Done(1, nil, nil)
	equal(t, "dirty at the end", p.Dirty(), false)
}

func TestR3_ASumOfZeroIsFlushedAllTheSame(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "a", 5)
	add(t, p, "a", -5)
	b, _ := p.Freeze()
	equal(t, "deltas", deltasOf(b), "a+0 ")
}

// Batches, in any mixture of own increments, others' sections, flushes and evictions, add up to what was accepted (R4), and
// the ledger moves join without gaps.
func TestR4_BatchesAddUpToTheOperationsThatTheirMovesStandFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := owner(me, nil)
		accepted, store := map[string]int64{}, map[string]int64{}
		ledger, sent := map[Origin]uint64{}, map[Origin]uint64{}
		keys := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		delta := rapid.Int64Range(-5, 50)
		apply := func(b Batch, aware bool) {
			for _, m := range b.Moves {
				equal(t, "from", m.From, ledger[m.Origin])
				ledger[m.Origin] = m.To
			}
			var values []Value
			for _, d := range b.Deltas {
				store[d.Key] += d.Delta
				values = append(values, Value{d.Key, store[d.Key]})
			}
			if !aware { // resolved from the ledger: nobody said what the values are
				values = nil
			}
			p.Done(1, values, nil)
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0, 1:
				k, d := keys.Draw(t, "key"), delta.Draw(t, "delta")
				add(t, p, k, d)
				accepted[k] += d
			case 2:
				k, d := keys.Draw(t, "key"), delta.Draw(t, "delta")
				s := Section{Epoch: 1, First: sent[other] + 1, Ops: []Op{{Key: k, Delta: d}}}
				p.Handle(other, &s, free, false)
				sent[other]++
				accepted[k] += d
			case 3:
				if b, ok := p.Freeze(); ok {
					apply(b, rapid.Bool().Draw(t, "aware"))
				}
			case 4:
				p.Shrink(Limits{MaxClean: rapid.IntRange(0, 3).Draw(t, "clean")})
			case 5:
				k := keys.Draw(t, "key")
				load(t, p, map[string]int64{k: store[k]}, ledger)
				total(t, p, k, accepted[k])
			}
		}
		for i := 0; p.Dirty(); i++ {
			b, _ := p.Freeze()
			apply(b, i%2 == 0)
		}
		for k, v := range accepted {
			equal(t, "counter "+k, store[k], v)
		}
		equal(t, "ledger", ledger[me], p.Last())
		equal(t, "ledger", ledger[other], sent[other])
	})
}

func TestDone_TellsHowFarTheStoreHasTheOthersOperations(t *testing.T) {
	p := owner(me, nil)
	s := section(1, 5, 6)
	p.Handle(other, &s, free, false)
	add(t, p, "k", 1)
	_, progress := flush(t, p)
	equal(t, "progress", fmt.Sprint(progress), fmt.Sprint([]Progress{{Origin: other, Persisted: 2}}))
	equal(t, "own", p.Persisted(), 1)
	a, _ := p.Handle(other, &s, free, false)
	equal(t, "persisted in answers", a.Persisted, 2)
}

func TestDone_SetsAsideWhatTheStoreRefuses(t *testing.T) {
	p := owner(me, nil)
	load(t, p, map[string]int64{"a": 10, "b": 20}, nil)
	add(t, p, "a", 1)
	add(t, p, "b", 2)
	b, _ := p.Freeze()
	add(t, p, "a", 100)
	p.Done(b.Epoch, []Value{{"b", 22}}, []Delta{{"a", 1}, {"never heard of", 1}})
	total(t, p, "b", 22)
	// A read of the store may have been mixed in, so the value is read again.
	if _, state := p.Total(Hash("a"), "a"); state != ReadMissing {
		t.Fatalf("state %d", state)
	}
	load(t, p, map[string]int64{"a": 10}, map[Origin]uint64{me: 2})
	total(t, p, "a", 110)
}

// Found by simulation: a read of the store while a batch was under way of which the store set a delta aside. The ledger said
// that the snapshot contains the batch, the counter did not.
func TestR8_ATotalIsRightWhenTheStoreSetAsideWhatALoadTookForIncluded(t *testing.T) {
	p := owner(me, nil)
	add(t, p, "k", 7)
	b, _ := p.Freeze()
	load(t, p, map[string]int64{"k": 1000}, map[Origin]uint64{me: 1}) // with 7 set aside
	p.Done(b.Epoch, nil, []Delta{{"k", 7}})
	if v, state := p.Total(Hash("k"), "k"); state == Read && v != 1000 {
		t.Fatalf("total %d", v)
	}
	load(t, p, map[string]int64{"k": 1000}, map[Origin]uint64{me: 1})
	total(t, p, "k", 1000)
}

func TestAdd_RefusesWhatLeavesTheRange(t *testing.T) {
	for _, c := range []struct {
		base, delta int64
		ok          bool
	}{
		{math.MaxInt64 - 1, 1, true},
		{math.MaxInt64 - 1, 2, false},
		{math.MaxInt64, math.MinInt64, true},
		{math.MinInt64 + 1, -1, true},
		{math.MinInt64 + 1, -2, false},
		{math.MinInt64, math.MaxInt64, true},
		{0, math.MinInt64, true},
		{-1, math.MinInt64, false},
	} {
		p := owner(me, nil)
		load(t, p, map[string]int64{"k": c.base}, nil)
		a, err := p.Add(Hash("k"), "k", c.delta)
		equal(t, fmt.Sprintf("%d%+d accepted", c.base, c.delta), err == nil, c.ok)
		if !c.ok {
			equal(t, "pending after a refusal", p.Pending(), 0)
			total(t, p, "k", c.base)
			continue
		}
		equal(t, "total", a.Total, c.base+c.delta)
	}
}

// Increments that were taken before the value was known may lead beyond the range. Until the store has set them aside, the counter
// stands at the end of it, and nobody is told a total that wrapped around.
func TestTotal_StopsAtTheEndOfTheRange(t *testing.T) {
	for _, c := range []struct{ base, delta, want int64 }{
		{math.MaxInt64 - 5, 10, math.MaxInt64},
		{math.MinInt64 + 5, -10, math.MinInt64},
	} {
		p := owner(me, nil)
		add(t, p, "k", c.delta)
		load(t, p, map[string]int64{"k": c.base}, nil)
		total(t, p, "k", c.want)
		a, err := p.Add(Hash("k"), "k", -c.delta/10)
		if err != nil || a.HasTotal {
			t.Fatalf("%+v, %v: a total that is not known was told", a, err)
		}
		_, err = p.Add(Hash("k"), "k", c.delta)
		equal(t, "further out", err, ErrOutOfRange)
	}
}

func TestSum_IsTheSumWithoutAnEnd(t *testing.T) {
	ends := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, 1, -1}))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := ends.Draw(t, "a"), ends.Draw(t, "b"), ends.Draw(t, "c")
		v, fits := sum(a, b, c)
		f := float64(a) + float64(b) + float64(c)
		switch {
		case fits:
			equal(t, "sum", v, a+b+c)
			if math.Abs(f-float64(v)) > 1<<12 {
				t.Fatalf("%d+%d+%d = %d", a, b, c, v)
			}
		case v == math.MaxInt64:
			equal(t, "beyond the upper end", f >= math.MaxInt64-(1<<12), true)
		default:
			equal(t, "end", v, math.MinInt64)
			equal(t, "beyond the lower end", f <= math.MinInt64+(1<<12), true)
		}
	})
}
