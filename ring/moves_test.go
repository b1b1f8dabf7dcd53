package ring

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// maxExtra is how much more than it must a join or leave may move under Default, as a factor, up to 20 members. The worst
// that was measured is 1.70 (see Default).
const maxExtra = 2.0

func TestTable_StaysWithinTheFiguresOfDefault(t *testing.T) {
	s := Default()
	const sets = 3
	t.Logf("%s; %d sets of names", s.Version(), sets)
	t.Log("members  ideal  fewest  most  bound   a join moves  ideal  of it between others   a leave moves  ideal  between others")
	for n := 1; n <= 20; n++ {
		fewest, most := math.MaxInt, 0
		var join, leave Movement
		var bound int
		for i := range sets {
			names := nodes(string(rune('a'+i)), n+1)
			small, big := build(t, s, names[:n]...), build(t, s, names...)
			b := small.Balance()
			fewest, most, bound = min(fewest, b.Min), max(most, b.Max), b.Bound
			if b.Max > b.Bound || float64(b.Max) > math.Ceil(b.Ideal)*1.2 {
				t.Errorf("%d members: the fullest has %d of %d, ideal %.1f", n, b.Max, b.Bound, b.Ideal)
			}
			j, l := Compare(small, big), Compare(big, small)
			join.Moved, join.Ideal, join.Between = join.Moved+j.Moved, join.Ideal+j.Ideal, join.Between+j.Between
			leave.Moved, leave.Ideal, leave.Between = leave.Moved+l.Moved, leave.Ideal+l.Ideal, leave.Between+l.Between
			if float64(j.Moved) > maxExtra*j.Ideal {
				t.Errorf("%d members: a join moves %+v", n, j)
			}
			if float64(l.Moved) > maxExtra*max(l.Ideal, IdealShare(s.Partitions, n+1)) {
				t.Errorf("%d members: a leave moves %+v", n+1, l)
			}
		}
		t.Logf("%7d %6.1f %7d %5d %6d %14.1f %6.1f %23.1f %15.1f %6.1f %15.1f", n, IdealShare(s.Partitions, n), fewest, most, bound,
			float64(join.Moved)/sets, join.Ideal/sets, float64(join.Between)/sets,
			float64(leave.Moved)/sets, leave.Ideal/sets, float64(leave.Between)/sets)
	}
}

func TestMoves_TakeTheOldTableToTheNewOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := smallSettings(t)
		draw := func() *Table {
			table, err := New(members(t, 0, 8), s)
			if err != nil {
				t.Fatal(err)
			}
			return table
		}
		old, next := draw(), draw()
		owners := make([]string, s.Partitions)
		for p := range owners {
			owners[p] = old.Owner(uint32(p))
		}
		last := -1
		for _, m := range Moves(old, next) {
			if m.From == m.To || owners[m.Partition] != m.From || int(m.Partition) <= last {
				t.Fatalf("move %+v after partition %d, which belongs to %q", m, last, owners[m.Partition])
			}
			owners[m.Partition], last = m.To, int(m.Partition)
		}
		for p, o := range owners {
			if o != next.Owner(uint32(p)) {
				t.Fatalf("partition %d went to %q and not to %q", p, o, next.Owner(uint32(p)))
			}
		}
	})
}

// Without the bound this is plain consistent hashing: a newcomer takes, and nobody else does; a leaver gives.
func TestMoves_ConcernOnlyWhoComesOrGoesWhenLoadsAreUnbounded(t *testing.T) {
	s := Settings{Partitions: 271, ReplicationFactor: 200, Load: MaxLoad}
	for n := 1; n <= 12; n++ {
		names := nodes("n", n+1)
		small, big := build(t, s, names[:n]...), build(t, s, names...)
		for _, m := range Moves(small, big) {
			if m.To != names[n] {
				t.Errorf("%d members: a join moves %+v", n, m)
			}
		}
		for _, m := range Moves(big, small) {
			if m.From != names[n] {
				t.Errorf("%d members: a leave moves %+v", n+1, m)
			}
		}
	}
}

func TestMoves_TakeNoTableForOneWithoutMembers(t *testing.T) {
	table := build(t, Default(), nodes("n", 3)...)
	empty := build(t, Default())
	if Moves(nil, nil) != nil || Moves(table, table) != nil || Moves(nil, empty) != nil {
		t.Error("moves out of nothing")
	}
	if all := Moves(nil, table); len(all) != 271 || !slices.Equal(all, Moves(empty, table)) {
		t.Errorf("%d moves to the first members", len(all))
	}
	if all := Moves(table, nil); len(all) != 271 || !slices.Equal(all, Moves(table, empty)) {
		t.Errorf("%d moves from the last members", len(all))
	}
}

func TestMoves_PanicsWhenThePartitionCountsDiffer(t *testing.T) {
	s := Default()
	s.Partitions = 7
	defer func() {
		if recover() == nil {
			t.Error("R11: tables of two clusters were compared")
		}
	}()
	Moves(build(t, Default(), "a"), build(t, s, "a"))
}

func TestCompare_TellsWhatHadToMove(t *testing.T) {
	s := Settings{Partitions: 271, ReplicationFactor: 200, Load: MaxLoad}
	three, four := build(t, s, "a", "b", "c"), build(t, s, "a", "b", "c", "d")
	owned := four.Counts()[3]
	if got := Compare(four, three); got != (Movement{Moved: owned, Ideal: float64(owned)}) {
		t.Errorf("a leave: %+v, the leaver had %d", got, owned)
	}
	if got := Compare(three, four); got.Ideal != 271.0/4 || got.Moved != owned || got.Between != 0 {
		t.Errorf("a join: %+v", got)
	}
	if got := Compare(three, three); got != (Movement{}) {
		t.Errorf("nothing: %+v", got)
	}
	if got := Compare(nil, three); got != (Movement{Moved: 271, Ideal: 271}) {
		t.Errorf("the first: %+v", got)
	}
	if IdealShare(271, 0) != 0 {
		t.Error("a share of nobody")
	}
}
