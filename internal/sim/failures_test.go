package sim

import "testing"

// The seeds that found mistakes in the core, or in how it was driven. Each fails again with its mistake planted (see scripts/mutants, "was so"). A change of the
// simulation gives every seed another history: then take the seeds that the mutants name.
var failures = []struct {
	seed uint64
	what string
}{
	{78, "an increment whose caller had gone was refused in silence, since another caller of the same operation heard of it"},
	{4, "a total wrapped around when a counter near the end of its range was read after an increment"},
	{468, "a new owner handed the partition over before it had what its predecessor had answered, and the next one did not wait"},
	{95, "a total was wrong for ever when a read raced with a flush of which the store set a delta aside"},
	{983, "a new owner told a lower total than its predecessor, which had applied an operation and crashed before it answered"},
	{445, "a refused operation took its idempotency key with it to the next owner, and what had been counted was lost"},
	{2643, "who waited for the log was told that the owner had it, when the next owner did not"},
	{66686, "two processes were leaving when the store went back to before it was told, and handed partitions to each other for ever"},
	{86128, "the auditor took a refused operation for one that counts"},
	{260468, "the auditor took one operation for another that was refused"},
	{168901, "an operation that a log had was refused and came back: a known limit"},
	{31808, "a holder of copies dropped those of a process that its view of the store was older than"},
	{30449, "the same"},
	{21856, "the same"},
	{23138, "a caller was told that the log had failed, and its increment was refused later in silence with those that joined it"},
	{66, "a store that came back from an older state let a process own a partition twice at one epoch"},
	{181, "a store that came back from an older state gave an epoch to a second owner, and origins waited for the first for ever"},
	{311936, "the store forgot a process, whose owners took it for closed, and nobody noticed what it had lost"},
	{475921, "the same"},
	{523321, "the same"},
	{539606, "an owner used a read of an older state, in which a process that it knew as closed still had a row"},
	{661233, "the model took a late message of a process that a ghost had closed for a fault; its node starts the partition afresh"},
	{679989, "the same"},
	{933468, "the same"},
	{937152, "what a holder of copies resent was refused as out of range, and its origin, which was back, did not hear: a known limit"},
	{742141, "the same, of an older state that had no row of its own operations"},
	{1224481, "the same"},
	{8451, "only a process that the ring did not want knew that the store was behind, and nobody reclaimed the partition"},
	{334996, "a process that was closing in the model acquired a partition once its ledger rows had gone; a node has ended its rounds by then"},
	{425461, "an owner told its own caller a total that it had read from an older state of the store"},
	{634371, "the same, and it took idempotency keys for new; a repeated hand-over then made the ledger whole again"},
	{795826, "a late answer of a former owner passed for one of the next, whom a store that came back from an older state had given the same epoch"},
	{1025686, "the same, and the next owner waited for ever for a hello"},
	{3043586, "a store that came back from an older state gave an epoch to the same process twice, which began with what it had read before"},
	{1107981, "a process of the model went on after it had stopped for the sake of a log"},
}

func TestSimulation_PassesTheSeedsThatFailedOnce(t *testing.T) {
	for _, f := range failures {
		if r := Run(f.seed, nil); r.Err != nil {
			t.Errorf("%s again: %v", f.what, r.Err)
		}
	}
}
