package ring

import (
	"fmt"
	"math"
	"slices"
)

// Move is a partition that should change its owner. From or To is "" where a table has no members.
type Move struct {
	Partition uint32
	From, To  string
}

// Moves returns what changes from one table to the next, in partition order. A nil table counts as one without
// members. It panics when the tables have different partition counts: within a cluster that count never changes (R11).
func Moves(old, next *Table) []Move {
	if old == nil && next == nil {
		return nil
	}
	if old != nil && next != nil && old.Partitions() != next.Partitions() {
		panic(fmt.Sprintf("ring: tables of %d and %d partitions cannot be compared", old.Partitions(), next.Partitions()))
	}
	var moves []Move
	for p := range max(count(old), count(next)) {
		if from, to := owner(old, p), owner(next, p); from != to {
			moves = append(moves, Move{Partition: p, From: from, To: to})
		}
	}
	return moves
}

// Balance tells how evenly a table spreads the partitions.
type Balance struct {
	Ideal    float64 // partitions / members, 0 without members
	Min, Max int     // partitions of the member with the fewest and with the most
	Bound    int     // no member can have more: ceil(Load * Ideal)
}

// Balance counts the partitions of each member.
func (t *Table) Balance() Balance {
	if len(t.members) == 0 {
		return Balance{}
	}
	counts := t.Counts()
	ideal := IdealShare(t.settings.Partitions, len(t.members))
	return Balance{
		Ideal: ideal,
		Min:   slices.Min(counts),
		Max:   slices.Max(counts),
		Bound: int(math.Ceil(ideal * t.settings.Load)),
	}
}

// Counts returns how many partitions each of Members() has.
func (t *Table) Counts() []int {
	counts := make([]int, len(t.members))
	for _, i := range t.owners {
		if i != nobody {
			counts[i]++
		}
	}
	return counts
}

// IdealShare is the share of one of n members: partitions / n, or 0 without members.
func IdealShare(partitions uint32, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(partitions) / float64(n)
}

// Movement tells what a change of members costs, beside what it must cost.
type Movement struct {
	Moved   int     // partitions that change their owner
	Ideal   float64 // what has to move: the leavers' partitions, or the newcomers' ideal shares if they are more
	Between int     // of Moved: between two members that are in both tables, the price of the bound on loads
}

// Compare sums up Moves(old, next).
func Compare(old, next *Table) Movement {
	was, is := memberSet(old), memberSet(next)
	joined := 0
	for m := range is {
		if !was[m] {
			joined++
		}
	}
	var v Movement
	left := 0
	for _, m := range Moves(old, next) {
		v.Moved++
		if was[m.From] && is[m.From] && was[m.To] && is[m.To] {
			v.Between++
		}
		if m.From != "" && !is[m.From] {
			left++
		}
	}
	v.Ideal = max(float64(left), float64(joined)*IdealShare(count(next), len(is)))
	return v
}

func count(t *Table) uint32 {
	if t == nil {
		return 0
	}
	return t.Partitions()
}

func owner(t *Table, partition uint32) string {
	if t == nil {
		return ""
	}
	return t.Owner(partition)
}

func memberSet(t *Table) map[string]bool {
	set := make(map[string]bool)
	if t != nil {
		for _, m := range t.members {
			set[m] = true
		}
	}
	return set
}
