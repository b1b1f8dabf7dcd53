package journal_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// upTo is a store that has these numbers.
func upTo(numbers map[uint32]uint64) func(uint32) uint64 {
	return func(partition uint32) uint64 { return numbers[partition] }
}

func trimmed(t *testing.T, l *journal.Log, numbers map[uint32]uint64, segments int) {
	t.Helper()
	if err := l.Trim(upTo(numbers)); err != nil {
		t.Fatal(err)
	}
	if n := l.Segments(); n != segments {
		t.Errorf("with %v in the store: %d segments, want %d", numbers, n, segments)
	}
}

func TestTrim_DeletesWhatTheStoreHasOldestFirst(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	for n := uint64(1); n <= 3; n++ { // three segments, each with both partitions
		l.Append(1, n, ops(n, 1, 1500))
		l.Append(2, n, ops(n, 1, 1500))
		synced(t, l, 3, n, ops(n, 1, 5))
	}
	trimmed(t, l, map[uint32]uint64{1: 3, 2: 3, 3: 0}, 3)
	trimmed(t, l, map[uint32]uint64{1: 1, 2: 1, 3: 1}, 2)
	trimmed(t, l, map[uint32]uint64{1: 3, 2: 1, 3: 3}, 2)
	trimmed(t, l, map[uint32]uint64{1: 3, 2: 2, 3: 3}, 1)
	if s := l.Stats(); s.Trimmed != 2 || s.Ops != 9 || s.Records != 3 || s.Bytes != l.Bytes() || s.Failed {
		t.Errorf("stats %+v", s)
	}
	want := map[uint32]journal.Stream{
		1: {First: 3, Ops: ops(3, 1, 1500)}, 2: {First: 3, Ops: ops(3, 1, 1500)}, 3: {First: 3, Ops: ops(3, 1, 5)},
	}
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), want)
}

// TestTrim_StartsANewSegmentWhenTheStoreHasAllOfABigOne also shows that a small one is left in peace.
func TestTrim_StartsANewSegmentWhenTheStoreHasAllOfABigOne(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	synced(t, l, 1, 1, ops(1, 1, 100))
	size := l.Bytes()
	trimmed(t, l, map[uint32]uint64{1: 1}, 1)
	if l.Bytes() != size {
		t.Error("a small segment was replaced")
	}
	synced(t, l, 1, 2, ops(2, 1, 1500))
	trimmed(t, l, map[uint32]uint64{1: 1}, 1)
	trimmed(t, l, map[uint32]uint64{1: 2}, 1)
	if l.Bytes() != journal.HeaderBytes {
		t.Errorf("%d bytes are left, want only a header", l.Bytes())
	}
	synced(t, l, 1, 3, ops(3, 1, 10))
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{1: {First: 3, Ops: ops(3, 1, 10)}})
}

// TestTrim_KeepsAnOldSegmentThoughTheStoreHasAllOfTheNewerOnes: the numbers are of different partitions.
func TestTrim_KeepsAnOldSegmentThoughTheStoreHasAllOfTheNewerOnes(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	synced(t, l, 1, 1, ops(1, 1, 3000))
	synced(t, l, 2, 1, ops(1, 1, 3000))
	synced(t, l, 2, 2, ops(2, 1, 3000))
	trimmed(t, l, map[uint32]uint64{2: 2}, 4)
	trimmed(t, l, map[uint32]uint64{2: 2}, 4)
	want := map[uint32]journal.Stream{1: {First: 1, Ops: ops(1, 1, 3000)}, 2: {First: 1, Ops: ops(1, 2, 3000)}}
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), want)
}

func TestTrim_KeepsASegmentThatCannotBeDeletedForTheNextTime(t *testing.T) {
	d := disktest.New()
	l := create(t, onDisk(d))
	synced(t, l, 1, 1, ops(1, 1, 3000))
	synced(t, l, 1, 2, ops(2, 1, 3000))
	d.FailOn(func(c disktest.Call) error {
		if c.Kind == disktest.Remove {
			return fs.ErrPermission
		}
		return nil
	})
	if err := l.Trim(upTo(map[uint32]uint64{1: 1})); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if err := l.Failed(); err != nil {
		t.Errorf("a segment too many failed the log: %v", err)
	}
	synced(t, l, 1, 3, ops(3, 1, 10))
	d.FailOn(nil)
	trimmed(t, l, map[uint32]uint64{1: 1}, 1)
}

func TestTrim_FailsTheLogWhenTheFolderDoesNotSync(t *testing.T) {
	d := disktest.New()
	l := create(t, onDisk(d))
	synced(t, l, 1, 1, ops(1, 1, 3000))
	synced(t, l, 1, 2, ops(2, 1, 3000))
	d.FailOn(failing(disktest.SyncDir, errIO))
	if err := l.Trim(upTo(map[uint32]uint64{1: 1})); !errors.Is(err, journal.ErrFailed) || !errors.Is(err, errIO) {
		t.Errorf("got %v", err)
	}
	calls := len(d.Calls())
	if err := l.Trim(upTo(map[uint32]uint64{1: 2})); !errors.Is(err, journal.ErrFailed) || len(d.Calls()) != calls {
		t.Errorf("a failed log was trimmed: %v", err)
	}
}

func TestSkip_LetsTheLogGoOnBehindTheStore(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	l.Skip(9, 4) // nothing to skip: any first number may come
	synced(t, l, 1, 1, ops(1, 3, 10))
	l.Skip(1, 4) // no gap: nothing is written
	synced(t, l, 1, 4, ops(4, 1, 10))
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{1: {First: 1, Ops: ops(1, 4, 10)}})

	cfg = onDisk(disktest.New())
	l = create(t, cfg)
	synced(t, l, 2, 1, ops(1, 1, 10))
	synced(t, l, 1, 1, ops(1, 3, 10))
	l.Skip(1, 9)
	l.Skip(1, 11)
	synced(t, l, 1, 11, ops(11, 2, 10))
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{
		1: {First: 11, Ops: ops(11, 2, 10)}, 2: {First: 1, Ops: ops(1, 1, 10)},
	})
}

func TestSkip_OpensARecordOfItsOwnWhenTheLastOneIsFull(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	full := ops(1, 1, 0)
	full[0].Key = string(make([]byte, journal.MaxRecordBytes-9-25-10))
	l.Append(1, 1, full)
	l.Append(2, 1, ops(1, 1, 5))
	l.Skip(1, 7)
	synced(t, l, 1, 7, ops(7, 1, 5))
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{
		1: {First: 7, Ops: ops(7, 1, 5)}, 2: {First: 1, Ops: ops(1, 1, 5)},
	})
}
