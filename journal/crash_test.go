package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// history is what a process did with its log, kept outside of the disk.
type history struct {
	appended  map[uint32][]journal.Op // number n stands at n-1
	acked     map[uint32]uint64       // Sync returned nil
	persisted map[uint32]uint64       // the store has it
}

// live runs a process's life on the disk: appends, syncs, rotations, trims and a clean end. It stops at the first error.
func live(d *disktest.Disk, seed uint64) (h history, err error) {
	h = history{make(map[uint32][]journal.Op), make(map[uint32]uint64), make(map[uint32]uint64)}
	rng := rand.New(rand.NewPCG(seed, 1))
	l, err := journal.Create(onDisk(d))
	if err != nil {
		return h, err
	}
	for step := range 30 {
		for range 1 + rng.IntN(3) {
			p := uint32(rng.IntN(3))
			first := uint64(len(h.appended[p])) + 1
			more := ops(first, 1+rng.IntN(3), 50+rng.IntN(500))
			h.appended[p] = append(h.appended[p], more...)
			l.Append(p, first, more)
		}
		if err := l.Sync(); err != nil {
			return h, errors.Join(err, l.Close())
		}
		for p, all := range h.appended {
			h.acked[p] = uint64(len(all))
		}
		if step%4 != 3 {
			continue
		}
		for p := range uint32(3) {
			h.persisted[p] += rng.Uint64N(h.acked[p] - h.persisted[p] + 1)
			if rng.IntN(3) == 0 {
				h.persisted[p] = h.acked[p]
			}
		}
		if err := l.Trim(upTo(h.persisted)); err != nil {
			return h, errors.Join(err, l.Close())
		}
	}
	h.persisted = h.acked
	return h, l.Remove()
}

// keeps checks a log that came back: all that was acknowledged and that the store lacks, and nothing that was never appended.
func (h history) keeps(t *testing.T, old *journal.Old) {
	t.Helper()
	streams := map[uint32]journal.Stream{}
	if old != nil {
		streams = old.Streams
	}
	for p, s := range streams {
		for i, op := range s.Ops {
			n := s.First + uint64(i)
			if n > uint64(len(h.appended[p])) || h.appended[p][n-1] != op {
				t.Fatalf("number %d of partition %d came back with a content that it never had", n, p)
			}
		}
	}
	for p := range h.appended {
		s := streams[p]
		if from, to := h.persisted[p]+1, h.acked[p]; from <= to && (s.First > from || s.First+uint64(len(s.Ops)) <= to) {
			t.Fatalf("partition %d: %d to %d were acknowledged and are not in the store; %d operations from %d came back",
				p, from, to, len(s.Ops), s.First)
		}
	}
}

func restart(t *testing.T, d *disktest.Disk) (*journal.Old, error) {
	t.Helper()
	olds, err := journal.Recover(restarted(onDisk(d)))
	if len(olds) == 0 {
		return nil, err
	}
	return olds[0], errors.Join(err, olds[0].Close())
}

// TestLog_KeepsWhatItAcknowledgedWhereverItIsCutOff cuts the power, and kills the process, at every single call to the disk,
// and again at every call of the recovery that follows.
func TestLog_KeepsWhatItAcknowledgedWhereverItIsCutOff(t *testing.T) {
	probe := disktest.New()
	if _, err := live(probe, 1); err != nil {
		t.Fatal(err)
	}
	kinds := map[disktest.Kind]int{}
	for _, c := range probe.Calls() {
		kinds[c.Kind]++
	}
	t.Logf("%d calls: %v", len(probe.Calls()), kinds)
	if kinds[disktest.Create] < 4 || kinds[disktest.Remove] < 4 {
		t.Fatal("the history makes and deletes too few segments to show anything")
	}
	for n := 1; n <= len(probe.Calls()); n++ {
		call := probe.Calls()[n-1]
		t.Run(fmt.Sprintf("%d %s", n, call.Kind), func(t *testing.T) {
			d := disktest.New()
			d.CrashAt(n)
			h, err := live(d, 1)
			if !errors.Is(err, disktest.ErrCrashed) {
				t.Fatalf("the call was not reached: %v", err)
			}
			for seed := range uint64(10) {
				after := d.PowerCut(seed)
				old, err := restart(t, after)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				h.keeps(t, old)
				cutAgain(t, h, func() *disktest.Disk { return d.PowerCut(seed) }, len(after.Calls()))
			}
			killed := d.Kill()
			old, err := restart(t, killed)
			if err != nil {
				t.Fatal(err)
			}
			h.keeps(t, old)
			replayed(t, old, killed)
		})
	}
}

// cutAgain cuts the power at each call of the recovery.
func cutAgain(t *testing.T, h history, fresh func() *disktest.Disk, calls int) {
	t.Helper()
	for n := 1; n <= calls; n++ {
		d := fresh()
		d.CrashAt(n)
		if _, err := restart(t, d); !errors.Is(err, disktest.ErrCrashed) {
			t.Fatalf("call %d of recovering: %v", n, err)
		}
		for seed := range uint64(5) {
			old, err := restart(t, d.PowerCut(seed))
			if err != nil {
				t.Fatalf("cut off again at call %d, seed %d: %v", n, seed, err)
			}
			h.keeps(t, old)
		}
	}
}

// replayed checks that what a recovery returned after a mere process crash outlasts a later power cut: it may have been sent
// to an owner by then.
func replayed(t *testing.T, old *journal.Old, d *disktest.Disk) {
	t.Helper()
	if old == nil {
		return
	}
	for seed := range uint64(5) {
		again, err := restart(t, d.PowerCut(seed))
		if err != nil {
			t.Fatal(err)
		}
		if again == nil {
			t.Fatal("the power cut took a log that had been replayed")
		}
		for p, s := range old.Streams {
			more := again.Streams[p] // segments whose removal did not last may come back before it
			if more.First > s.First || more.First+uint64(len(more.Ops)) < s.First+uint64(len(s.Ops)) {
				t.Fatalf("partition %d: %d operations from %d were replayed, %d from %d are left",
					p, len(s.Ops), s.First, len(more.Ops), more.First)
			}
		}
	}
}

// TestRemove_LeavesALogThatCanBeReadWhereverItIsCutOff kills a process at every call, and cuts the power at every call of the
// next one's Old.Remove.
func TestRemove_LeavesALogThatCanBeReadWhereverItIsCutOff(t *testing.T) {
	probe := disktest.New()
	if _, err := live(probe, 2); err != nil {
		t.Fatal(err)
	}
	cuts := 0
	for kill := 1; kill <= len(probe.Calls()); kill++ {
		for n := 1; removedUntil(t, kill, n); n++ {
			cuts++
		}
	}
	t.Logf("%d cuts", cuts)
	if cuts < 500 {
		t.Error("too few to show anything")
	}
}

// removedUntil kills the writer at one call and cuts the power at the nth call of the removal. False: there are fewer.
func removedUntil(t *testing.T, kill, n int) bool {
	t.Helper()
	d := disktest.New()
	d.CrashAt(kill)
	h, _ := live(d, 2)
	h.persisted = h.acked
	olds, err := journal.Recover(restarted(onDisk(d.Kill())))
	if err != nil {
		t.Fatalf("killed at %d: %v", kill, err)
	}
	if len(olds) == 0 {
		return false
	}
	d.CrashAt(len(d.Calls()) + n)
	if err := olds[0].Remove(); err == nil {
		return false
	} else if !errors.Is(err, disktest.ErrCrashed) {
		t.Fatal(err)
	}
	for seed := range uint64(10) {
		left, err := restart(t, d.PowerCut(seed))
		if err != nil {
			t.Fatalf("killed at %d, cut off at call %d of removing, seed %d: %v", kill, n, seed, err)
		}
		h.keeps(t, left)
	}
	return true
}

// TestLog_KeepsWhatItAcknowledgedWhicheverCallFails lets every call fail once, and takes the power or the process after.
func TestLog_KeepsWhatItAcknowledgedWhicheverCallFails(t *testing.T) {
	probe := disktest.New()
	if _, err := live(probe, 3); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(probe.Calls()); n++ {
		d := disktest.New()
		d.FailOn(func(c disktest.Call) error {
			if c.N == n {
				return errIO
			}
			return nil
		})
		h, err := live(d, 3)
		if !errors.Is(err, errIO) {
			t.Fatalf("call %d, %v: %v", n, probe.Calls()[n-1], err)
		}
		for seed := range uint64(10) {
			old, err := restart(t, d.PowerCut(seed))
			if err != nil {
				t.Fatalf("call %d, %v, seed %d: %v", n, probe.Calls()[n-1], seed, err)
			}
			h.keeps(t, old)
		}
		old, err := restart(t, d.Kill())
		if err != nil {
			t.Fatal(err)
		}
		h.keeps(t, old)
	}
}
