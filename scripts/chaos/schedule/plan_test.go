package schedule

import (
	"reflect"
	"testing"
	"time"
)

func settings(seed uint64) Settings {
	return Settings{Seed: seed, Duration: 2 * time.Minute, Nodes: 3, Spare: 1}
}

func TestPlan_IsTheSameForASeedAndAnotherForAnother(t *testing.T) {
	a, b := Plan(settings(7)), Plan(settings(7))
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed gives two plans")
	}
	if reflect.DeepEqual(a, Plan(settings(8))) {
		t.Error("two seeds give one plan")
	}
}

func TestPlan_IsWithinItsBoundsAndHasEveryKind(t *testing.T) {
	for seed := range uint64(200) {
		s := settings(seed)
		s.Nodes = 3 + int(seed%3)
		seen := map[Kind]bool{}
		last := time.Duration(0)
		for _, f := range Plan(s) {
			seen[f.Kind] = true
			if f.At < last || f.At >= s.Duration || f.For < 0 || f.At+f.For > s.Duration {
				t.Fatalf("seed %d: %v at %v does not fit", seed, f, f.At)
			}
			last = f.At
			if joins := f.Kind == Join; f.Node < 0 || f.Node >= s.Nodes+s.Spare || joins != (f.Node >= s.Nodes) {
				t.Fatalf("seed %d: no such node: %v", seed, f)
			}
			if (f.Kind == Split || f.Kind == Bridge) && (len(f.Group) == 0 || len(f.Group) >= s.Nodes) {
				t.Fatalf("seed %d: one side is empty: %v", seed, f)
			}
		}
		for _, k := range Kinds() {
			if !seen[k] {
				t.Fatalf("seed %d: no %s", seed, k)
			}
		}
	}
}

func TestPlan_FaultsOverlap(t *testing.T) {
	plan := Plan(settings(1))
	overlaps := 0
	for i, f := range plan {
		for _, g := range plan[i+1:] {
			if g.Kind != f.Kind && g.At < f.At+f.For {
				overlaps++
			}
		}
	}
	if overlaps == 0 {
		t.Error("no two faults overlap")
	}
}
