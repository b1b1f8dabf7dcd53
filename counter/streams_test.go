package counter

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func section(first uint64, deltas ...int64) Section {
	s := Section{Partition: 7, Epoch: 1, First: first}
	for _, d := range deltas {
		s.Ops = append(s.Ops, Op{Key: "k", Delta: d})
	}
	return s
}

func TestR2_TheOwnerAppliesEachStreamInOrderWithoutGapsOnce(t *testing.T) {
	for _, c := range []struct {
		name        string
		first       uint64
		deltas      []int64
		code        Code
		applied     uint64
		total       int64
		persistedIs uint64
	}{
		{"the next operations", 4, []int64{10, 20}, OK, 5, 36, 2},
		{"nothing new, a question", 4, nil, OK, 3, 6, 2},
		{"a repeat", 1, []int64{1, 2, 3}, OK, 3, 6, 2},
		{"a part of a repeat", 2, []int64{2}, OK, 3, 6, 2},
		{"a repeat with more behind it", 2, []int64{2, 3, 10}, OK, 4, 16, 2},
		{"a gap", 5, []int64{20}, Gap, 3, 6, 2},
		{"a gap without operations", 9, nil, Gap, 3, 6, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := owner(me, nil)
			load(t, p, map[string]int64{"k": 0}, nil)
			s := section(1, 1, 2)
			p.Handle(other, &s, free, false)
			flush(t, p, Value{"k", 3})
			s = section(3, 3)
			p.Handle(other, &s, free, false)

			s = section(c.first, c.deltas...)
			a, _ := p.Handle(other, &s, free, false)
			equal(t, "code", a.Code, c.code)
			equal(t, "applied", a.Applied, c.applied)
			equal(t, "persisted", a.Persisted, c.persistedIs)
			total(t, p, "k", c.total)
		})
	}
}

// Any cutting, repeating and mixing of the streams adds every operation once.
func TestR2_SectionsMayBeCutRepeatedAndMixed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := owner(me, nil)
		load(t, p, map[string]int64{"k": 0}, nil)
		all := map[Origin][]int64{}
		for _, o := range []Origin{other, third} {
			all[o] = rapid.SliceOfN(rapid.Int64Range(-100, 100), 1, 20).Draw(t, "stream")
		}
		marks, sum := map[Origin]uint64{}, int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "sections") {
			o := rapid.SampledFrom([]Origin{other, third}).Draw(t, "origin")
			stream := all[o]
			from := rapid.IntRange(0, len(stream)).Draw(t, "from")
			to := rapid.IntRange(from, len(stream)).Draw(t, "to")
			s := section(uint64(from+1), stream[from:to]...)
			a, _ := p.Handle(o, &s, free, false)
			if uint64(from) <= marks[o] {
				for n := marks[o]; n < uint64(to); n++ {
					sum += stream[n]
				}
				marks[o] = max(marks[o], uint64(to))
				equal(t, "code", a.Code, OK)
			} else {
				equal(t, "code", a.Code, Gap)
			}
			equal(t, "applied", a.Applied, marks[o])
			total(t, p, "k", sum)
		}
	})
}

func TestR2_ResultsAreToldAgainUntilTheOriginGoesOn(t *testing.T) {
	p := owner(me, nil)
	load(t, p, map[string]int64{"k": 100}, nil)
	s := section(1, 1, 2, 3)
	for i := range s.Ops {
		s.Ops[i].Flags = Want
	}
	for range 2 { // the first answer was lost
		a, _ := p.Handle(other, &s, free, false)
		equal(t, "results", fmt.Sprint(a.Results), fmt.Sprint([]OpResult{{1, Total, 101}, {2, Total, 103}, {3, Total, 106}}))
	}
	on := section(3)
	a, _ := p.Handle(other, &on, free, false)
	equal(t, "results", fmt.Sprint(a.Results), fmt.Sprint([]OpResult{{3, Total, 106}}))
	on = section(4)
	a, _ = p.Handle(other, &on, free, false)
	equal(t, "results", len(a.Results), 0)
}

func TestR2_AnOriginGoesBackToWhatTheOwnerLacks(t *testing.T) {
	p := follower(me, other)
	for _, k := range []string{"a", "b", "c"} {
		add(t, p, k, 1)
	}
	s := next(t, p, 10)
	equal(t, "verdict", p.Take(s.Epoch, &Answer{Code: OK, Epoch: 1, Owner: other, Applied: 3}), Fine)
	p.Poll()
	s = next(t, p, 10)
	equal(t, "first", s.First, 4)
	equal(t, "verdict", p.Take(s.Epoch, &Answer{Code: Gap, Epoch: 1, Owner: other, Applied: 1}), Fine)
	s = next(t, p, 10)
	equal(t, "first", s.First, 2)
	equal(t, "operations", len(s.Ops), 2)
}

func TestHandle_AsksAnOriginToWaitUntilTheOwnerHasHeardOfIt(t *testing.T) {
	p, stranger := owner(me, nil), Origin{9}
	s := section(1, 5)
	a, _ := p.Handle(stranger, &s, free, false)
	equal(t, "code", a.Code, Unknown)
	p.AddOrigin(stranger)
	p.AddOrigin(me) // not a stream
	a, _ = p.Handle(stranger, &s, free, false)
	equal(t, "code", a.Code, OK)
	p.AddOrigin(stranger) // known: nothing changes
	a, _ = p.Handle(stranger, &s, free, false)
	equal(t, "applied", a.Applied, 1)
	equal(t, "origins", len(p.Origins()), 3)
}

func TestRemoveOrigin_KeepsAStreamThatIsNotFlushed(t *testing.T) {
	p := owner(me, nil)
	s := section(1, 5)
	p.Handle(other, &s, free, false)
	p.RemoveOrigin(other)
	equal(t, "origins with something unflushed", len(p.Origins()), 2)
	b, _ := p.Freeze()
	p.RemoveOrigin(other)
	equal(t, "origins with something under way", len(p.Origins()), 2)
	p.Done(b.Epoch, nil, nil)
	p.RemoveOrigin(other)
	equal(t, "origins", len(p.Origins()), 1)
	a, _ := p.Handle(other, &s, free, false)
	equal(t, "code of what comes late", a.Code, Unknown)
}

func TestR10_AnOwnerWithTooMuchUnflushedIsBusyForNewOperationsOnly(t *testing.T) {
	p := owner(me, nil)
	lim := Limits{MaxDirty: 1}
	s := Section{Partition: 7, Epoch: 1, First: 1, Ops: []Op{{Key: "a", Delta: 1}, {Key: "b", Delta: 1}}}
	a, _ := p.Handle(other, &s, lim, false)
	equal(t, "code up to the limit", a.Code, OK)
	more := section(3, 1)
	a, _ = p.Handle(other, &more, lim, false)
	equal(t, "code beyond", a.Code, Busy)
	a, _ = p.Handle(other, &s, lim, false)
	equal(t, "code of a repeat", a.Code, OK)
	flush(t, p)
	a, _ = p.Handle(other, &more, lim, false)
	equal(t, "code after a flush", a.Code, OK)
}
