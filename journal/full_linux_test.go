package journal_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pinocchio-nose/pinocchio/journal"
)

// TestSync_FailsOnAFullDisk fills a real file system, where one can be mounted; the modelled disk shows the same everywhere
// (TestSync_FailsForEverWhenTheDiskFailsOnce).
func TestSync_FailsOnAFullDisk(t *testing.T) {
	cfg := inDir(t)
	cfg.Dir = t.TempDir()
	if err := unix.Mount("tmpfs", cfg.Dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Logf("NOT SHOWN ON A REAL FILE SYSTEM: mounting a small one needs root: %v", err)
		return
	}
	t.Cleanup(func() {
		if err := unix.Unmount(cfg.Dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg.SegmentBytes = 64 << 10
	l := create(t, cfg)
	acked := 0
	for l.Failed() == nil && acked < 1000 {
		l.Append(1, uint64(acked)+1, ops(uint64(acked)+1, 1, 2000))
		if l.Sync() == nil {
			acked++
		}
	}
	if err := l.Sync(); !errors.Is(err, journal.ErrFailed) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d operations: %v", acked, err)
	}
	if acked == 0 {
		t.Error("nothing was acknowledged before")
	}
	t.Logf("full after %d operations in %d segments", acked, l.Segments())
	holds(t, recovered(t, unlocked(t, l, cfg)), 1, 1, ops(1, acked, 2000), ops(1, acked+1, 2000))
}
