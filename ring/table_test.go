package ring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// build makes a table that must exist.
func build(t testing.TB, s Settings, members ...string) *Table {
	t.Helper()
	table, err := New(members, s)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// nodes returns the names prefix-1 ... prefix-n.
func nodes(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i+1)
	}
	return names
}

// smallSettings draws settings in the range that clusters use, small enough for many tables a second.
func smallSettings(t *rapid.T) Settings {
	return Settings{
		Partitions:        rapid.Uint32Range(1, 400).Draw(t, "partitions"),
		ReplicationFactor: rapid.IntRange(1, 60).Draw(t, "points"),
		Load:              rapid.Float64Range(1, MaxLoad).Draw(t, "load"),
	}
}

func members(t *rapid.T, low, high int) []string {
	return rapid.SliceOfNDistinct(rapid.StringN(1, -1, 20), low, high, rapid.ID[string]).Draw(t, "members")
}

func same(a, b *Table) bool {
	return a.Version() == b.Version() && slices.Equal(a.members, b.members) && slices.Equal(a.owners, b.owners)
}

func TestR11_TheTableIsTheSameWhateverTheOrderOfTheMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := smallSettings(t)
		names := members(t, 1, 12)
		a, err := New(names, s)
		if err != nil {
			t.Fatal(err)
		}
		shuffled := append(rapid.Permutation(names).Draw(t, "order"), names[0])
		before := slices.Clone(shuffled)
		b, err := New(shuffled, s)
		if err != nil {
			t.Fatal(err)
		}
		if !same(a, b) {
			t.Fatalf("%s differs from %s", a.Version(), b.Version())
		}
		if !slices.Equal(before, shuffled) {
			t.Fatal("the caller's slice was changed")
		}
	})
}

func TestTable_GivesEachPartitionToAMemberWithinTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := smallSettings(t)
		names := members(t, 1, 40)
		table, err := New(names, s)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for p := range s.Partitions {
			owner := table.Owner(p)
			if !slices.Contains(names, owner) || table.Members()[table.OwnerIndex(p)] != owner {
				t.Fatalf("partition %d belongs to %q", p, owner)
			}
			counts[owner]++
		}
		bound := int(math.Ceil(float64(s.Partitions) / float64(len(names)) * s.Load))
		b := table.Balance()
		for _, n := range counts {
			if n > bound || n > b.Max || n < b.Min {
				t.Fatalf("%d partitions of at most %d: %+v", n, bound, b)
			}
		}
		if b.Bound != bound || len(counts) == len(names) != (b.Min > 0) {
			t.Fatalf("%+v, bound %d", b, bound)
		}
	})
}

// The proof at place, at its corners: the tightest load, few points, more members than partitions, the limits.
func TestNew_FindsRoomForEveryPartitionWhereItIsTightest(t *testing.T) {
	for _, c := range []struct {
		s Settings
		n int
	}{
		{Settings{271, 1, 1}, 1},
		{Settings{250, 1, 1}, 250},
		{Settings{250, 1, 1}, 251},
		{Settings{1, 1, 1}, MaxMembers},
		{Settings{MaxPartitions, 1, 1}, MaxMembers - 1},
		{Settings{271, MaxReplicationFactor, MaxLoad}, 3},
	} {
		table := build(t, c.s, nodes("n", c.n)...)
		if b := table.Balance(); b.Max > b.Bound || b.Max < 1 {
			t.Errorf("%+v with %d members: %+v", c.s, c.n, b)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 { // the rounding of the bound alone, everywhere
		p, n := 1+r.IntN(MaxPartitions), 1+r.IntN(MaxMembers)
		if room := n * int(math.Ceil(float64(p)/float64(n)*1)); room < p {
			t.Fatalf("%d members have room for %d of %d partitions", n, room, p)
		}
	}
}

// A Load below 1 is what the library panics on; Validate refuses it, so place is called behind New's back.
func TestPlace_TurnsThePanicOfTheLibraryIntoAnError(t *testing.T) {
	owners, err := place(nodes("n", 3), Settings{Partitions: 271, ReplicationFactor: 20, Load: 0.5})
	if err == nil || owners != nil || !strings.Contains(err.Error(), "271 partitions on 3 members") {
		t.Errorf("got %v, %v", owners, err)
	}
}

func TestNew_HasNoOwnersWhenThereAreNoMembers(t *testing.T) {
	table := build(t, Default())
	for p := range table.Partitions() {
		if table.Owner(p) != "" || table.OwnerIndex(p) != nobody {
			t.Fatalf("partition %d belongs to %q", p, table.Owner(p))
		}
	}
	if len(table.Members()) != 0 || len(table.Owners()) != 271 || table.Balance() != (Balance{}) {
		t.Errorf("%v, %+v", table.Members(), table.Balance())
	}
}

func TestNew_RefusesWhatMakesNoTable(t *testing.T) {
	for name, c := range map[string]struct {
		members []string
		s       Settings
	}{
		"settings":   {nodes("n", 1), Settings{}},
		"empty name": {[]string{"a", ""}, Default()},
		"too many":   {nodes("n", MaxMembers+1), Default()},
	} {
		if table, err := New(c.members, c.s); err == nil || table != nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestValidate_NamesEveryFaultAtOnce(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, s := range []Settings{
		{}, {MaxPartitions + 1, MaxReplicationFactor + 1, MaxLoad + 0.1}, {0, -1, math.NaN()}, {0, 0, math.Inf(1)}, {0, 0, 0.99},
	} {
		err := s.Validate()
		for _, want := range []string{"partitions must", "replication factor must", "load must"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %q is not named in %v", s, want, err)
			}
		}
	}
}

func TestTable_CannotBeChangedThroughWhatItReturns(t *testing.T) {
	table := build(t, Default(), nodes("n", 3)...)
	was := table.Owner(0)
	table.Members()[table.OwnerIndex(0)] = "other"
	table.Owners()[0] = nobody
	if table.Owner(0) != was {
		t.Error("it was")
	}
}

func TestVersion_DiffersWhenAnythingDiffers(t *testing.T) {
	base := Default()
	points, load := base, base
	points.ReplicationFactor++
	load.Load += 0.0001
	partitions := base
	partitions.Partitions++
	seen := map[string]string{}
	for name, table := range map[string]*Table{
		"base": build(t, base, "a", "b"), "members": build(t, base, "a", "c"), "fewer": build(t, base, "a"), "none": build(t, base),
		"joined names": build(t, base, "ab"), "partitions": build(t, partitions, "a", "b"),
		"points": build(t, points, "a", "b"), "load": build(t, load, "a", "b"),
	} {
		if other, ok := seen[table.Version()]; ok || len(table.Version()) != 16 {
			t.Errorf("%s and %s are both %s", name, other, table.Version())
		}
		seen[table.Version()] = name
	}
	moved := build(t, base, "a", "b")
	owners := slices.Clone(moved.owners)
	owners[0] = 1 - owners[0]
	if digest(base, moved.members, owners) == moved.Version() {
		t.Error("another owner, the same version")
	}
	if got, want := base.Version(), "consistent/1.1 xxhash64 partitions=271 points=200 load=1.15"; got != want {
		t.Errorf("settings are %q, and stand in every cluster's store as %q", got, want)
	}
	if partitions.Version() == base.Version() || points.Version() == base.Version() || load.Version() == base.Version() {
		t.Error("settings that differ look the same")
	}
}
