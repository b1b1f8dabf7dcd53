package disktest_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

var errBroken = errors.New("broken")

// outcomes counts what is left of a file's content, or "gone", over many power cuts.
func outcomes(t *testing.T, d *disktest.Disk, path string) map[string]int {
	t.Helper()
	seen := make(map[string]int)
	for seed := range uint64(400) {
		f, err := d.PowerCut(seed).Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			seen["gone"]++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[content(t, f)]++
	}
	return seen
}

func content(t *testing.T, f journal.File) string {
	t.Helper()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func made(t *testing.T, d *disktest.Disk, path string) journal.File {
	t.Helper()
	f, err := d.Create(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func done(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func put(t *testing.T, f journal.File, s string, at int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(s), at)
	done(t, err)
}

func TestDisk_KeepsOnlyWhatWasSyncedUnderANameThatWasSynced(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	put(t, f, "old", 0)
	done(t, f.Sync())
	if seen := outcomes(t, d, "/a"); seen["gone"] == 0 || seen["old"] == 0 || len(seen) != 2 {
		t.Errorf("content synced, name not: %v", seen)
	}
	done(t, d.SyncDir("/"))
	if seen := outcomes(t, d, "/a"); len(seen) != 1 || seen["old"] == 0 {
		t.Errorf("both synced: %v", seen)
	}
	put(t, f, "new", 0)
	if seen := outcomes(t, d, "/a"); seen["old"] == 0 || seen["new"] == 0 || len(seen) != 2 {
		t.Errorf("written again: %v", seen)
	}
	done(t, d.Remove("/a"))
	if seen := outcomes(t, d, "/a"); seen["gone"] == 0 || seen["old"] == 0 || seen["new"] == 0 {
		t.Errorf("removed, not synced: %v", seen)
	}
	done(t, d.SyncDir("/"))
	if seen := outcomes(t, d, "/a"); seen["gone"] != 400 {
		t.Errorf("removed and synced: %v", seen)
	}
}

func TestDisk_TearsAWriteBetweenSectors(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	done(t, d.SyncDir("/"))
	one, two := string(bytes.Repeat([]byte("1"), 512)), string(bytes.Repeat([]byte("2"), 512))
	put(t, f, one+two, 0)
	seen := outcomes(t, d, "/a")
	zeros := string(make([]byte, 512))
	for name, want := range map[string]string{
		"nothing": "", "all": one + two, "the first": one + zeros, "the second": zeros + two, "the size": zeros + zeros,
	} {
		if seen[want] == 0 {
			t.Errorf("%s never survived alone", name)
		}
	}
	for left := range seen {
		if len(left) > 1024 || (len(left) > 5 && left[0] != left[5]) {
			t.Errorf("a sector survived in part")
		}
	}
}

func TestDisk_CutsAndRestoresSizes(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	put(t, f, "abcdef", 0)
	done(t, f.Sync(), d.SyncDir("/"), f.Truncate(2))
	if seen := outcomes(t, d, "/a"); seen["ab"] == 0 || seen["abcdef"] == 0 {
		t.Errorf("cut, not synced: %v", seen)
	}
	done(t, f.Sync())
	if seen := outcomes(t, d, "/a"); seen["ab"] != 400 {
		t.Errorf("cut and synced: %v", seen)
	}
}

// TestDisk_ForgetsWhatAFailedSyncHeld is the trap of 2018: the second Sync succeeds, and has nothing to save.
func TestDisk_ForgetsWhatAFailedSyncHeld(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	done(t, f.Sync(), d.SyncDir("/"))
	put(t, f, "data", 0)
	d.FailOn(func(c disktest.Call) error {
		if c.Kind == disktest.Sync {
			return errBroken
		}
		return nil
	})
	if err := f.Sync(); !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	d.FailOn(nil)
	done(t, f.Sync())
	if got := content(t, f); got != "data" {
		t.Errorf("the cache has %q", got)
	}
	if seen := outcomes(t, d, "/a"); seen["data"] != 0 {
		t.Errorf("a failed sync saved it: %v", seen)
	}
}

func TestDisk_StopsAtTheCrashAndGoesOnBehindIt(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	d.CrashAt(2)
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, disktest.ErrCrashed) {
		t.Errorf("write: %v", err)
	}
	_, open := d.Open("/a")
	_, list := d.List("/")
	_, lock := d.Lock("/lock")
	_, read := f.ReadAt(make([]byte, 1), 0)
	_, size := f.Size()
	for i, err := range []error{f.Sync(), d.SyncDir("/"), d.Mkdir("/b"), d.Remove("/a"), f.Truncate(0), open, list, lock, read, size} {
		if !errors.Is(err, disktest.ErrCrashed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	d.Kill()
	if got := content(t, f); got != "x" {
		t.Errorf("a killed process took back %q", got)
	}
	if n := len(d.Calls()); n != 2 {
		t.Errorf("%d calls are counted, want 2", n)
	}
}

func TestDisk_WritesHalfWhenAWriteFails(t *testing.T) {
	d := disktest.New()
	f := made(t, d, "/a")
	d.FailOn(func(disktest.Call) error { return errBroken })
	if n, err := f.WriteAt([]byte("abcd"), 0); n != 2 || !errors.Is(err, errBroken) {
		t.Errorf("%d, %v", n, err)
	}
	if got := content(t, f); got != "ab" {
		t.Errorf("got %q", got)
	}
}

func TestDisk_KnowsFoldersAndLocks(t *testing.T) {
	d := disktest.New()
	done(t, d.Mkdir("/a"), d.Mkdir("/a/b"))
	for name, err := range map[string]error{
		"mkdir without parent": d.Mkdir("/x/y"), "remove nothing": d.Remove("/a/x"), "sync nothing": d.SyncDir("/x"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Mkdir("/a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("mkdir twice: %v", err)
	}
	if err := d.Remove("/a"); err == nil {
		t.Error("a folder with something in it was removed")
	}
	l, err := d.Lock("/a/lock")
	done(t, err)
	if _, err := d.Lock("/a/lock"); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	done(t, l.Close())
	l, err = d.Lock("/a/lock")
	done(t, err)
	d.Kill()
	if _, err = d.Lock("/a/lock"); err != nil {
		t.Errorf("after its process: %v", err)
	}
	done(t, l.Close())
}
