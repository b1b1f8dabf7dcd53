package sim

import "testing"

// The seeds that found mistakes in the core, or in how it was driven. Each fails again with its mistake planted (see scripts/mutants, "was so"). A change of the
// simulation gives every seed another history: then take the seeds that the mutants name.
var failures = []struct {
	seed uint64
	what string
}{
	{6, "an increment whose caller had gone was refused in silence, since another caller of the same operation heard of it"},
	{9, "a total wrapped around when a counter near the end of its range was read after an increment"},
	{751, "a new owner handed the partition over before it had what its predecessor had answered, and the next one did not wait"},
	{846, "a total was wrong for ever when a read raced with a flush of which the store set a delta aside"},
	{2316, "a new owner told a lower total than its predecessor, which had applied an operation and crashed before it answered"},
	{1025229, "a process lost a partition unaware, was handed it back unaware, and went on telling totals from its old memory"},
}

func TestSimulation_PassesTheSeedsThatFailedOnce(t *testing.T) {
	for _, f := range failures {
		if r := Run(f.seed, nil); r.Err != nil {
			t.Errorf("%s again: %v", f.what, r.Err)
		}
	}
}
