package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

var (
	errIO   = syscall.EIO
	errFull = syscall.ENOSPC
)

func failing(kind disktest.Kind, err error) func(disktest.Call) error {
	return func(c disktest.Call) error {
		if c.Kind == kind {
			return &fs.PathError{Op: string(kind), Path: c.Path, Err: err}
		}
		return nil
	}
}

// TestSync_FailsForEverWhenTheDiskFailsOnce covers a short write on a full disk, a failed fsync, and both while a segment
// is being made. Afterwards the disk works again, and must not be asked.
func TestSync_FailsForEverWhenTheDiskFailsOnce(t *testing.T) {
	for _, c := range []struct {
		kind disktest.Kind
		err  error
		size int // of the operation: a big one needs a new segment
	}{
		{disktest.Write, errFull, 10},
		{disktest.Write, errIO, 3000},
		{disktest.Sync, errIO, 10},
		{disktest.Sync, errIO, 3000},
		{disktest.Create, errFull, 3000},
		{disktest.SyncDir, errIO, 3000},
	} {
		t.Run(fmt.Sprintf("%s of %d bytes", c.kind, c.size), func(t *testing.T) {
			d := disktest.New()
			log, lines := logged()
			cfg := onDisk(d)
			cfg.Logger = log
			l := create(t, cfg)
			synced(t, l, 1, 1, ops(1, 1, 2000))
			if err := l.Failed(); err != nil {
				t.Fatal(err)
			}
			d.FailOn(failing(c.kind, c.err))
			l.Append(1, 2, ops(2, 1, c.size))
			err := l.Sync()
			if !errors.Is(err, journal.ErrFailed) || !errors.Is(err, c.err) {
				t.Fatalf("got %v", err)
			}
			says(t, err, "until the node is restarted", writer.String())
			d.FailOn(nil)
			calls := len(d.Calls())
			for range 3 {
				l.Append(1, 2, ops(2, 1, 10))
				l.Skip(1, 40)
				if again := l.Sync(); again == nil || again.Error() != err.Error() {
					t.Errorf("a later Sync returns %v", again)
				}
			}
			if n := len(d.Calls()) - calls; n != 0 {
				t.Errorf("%d more calls to a disk that failed: %v", n, d.Calls()[calls:])
			}
			if l.Failed() == nil || !l.Stats().Failed {
				t.Error("Failed and Stats do not say so")
			}
			if n := strings.Count(lines.String(), "the journal has failed"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, lines)
			}
			for seed := range uint64(20) {
				cfg := cfg
				cfg.FS = d.PowerCut(seed)
				holds(t, recovered(t, cfg), 1, 1, ops(1, 1, 2000), append(ops(1, 1, 2000), ops(2, 1, c.size)...))
			}
		})
	}
}

// holds checks that a stream begins at first and holds at least these operations, and at most those.
func holds(t testing.TB, old *journal.Old, partition uint32, first uint64, least, most []journal.Op) {
	t.Helper()
	if old == nil {
		t.Fatal("nothing was recovered")
	}
	s := old.Streams[partition]
	if s.First != first || len(s.Ops) < len(least) || len(s.Ops) > len(most) {
		t.Fatalf("recovered %d operations from %d, want %d to %d from %d", len(s.Ops), s.First, len(least), len(most), first)
	}
	for i, op := range s.Ops {
		if op != most[i] {
			t.Errorf("number %d has another content", first+uint64(i))
		}
	}
}

func TestAppend_FailsTheLogRatherThanWriteWhatRecoverRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(*journal.Log)
		says   string
	}{
		"number 0":         {func(l *journal.Log) { l.Append(2, 0, ops(1, 1, 1)) }, "from number 0"},
		"a gap":            {func(l *journal.Log) { l.Append(1, 5, ops(5, 1, 1)) }, "number 5 behind 3"},
		"a repeat":         {func(l *journal.Log) { l.Append(1, 3, ops(3, 1, 1)) }, "number 3 behind 3"},
		"beyond the last":  {func(l *journal.Log) { l.Append(2, ^uint64(0), ops(1, 1, 1)) }, "from number"},
		"a skip backwards": {func(l *journal.Log) { l.Skip(1, 3) }, "skips to number 3 behind 3"},
		"a huge operation": {func(l *journal.Log) { l.Append(1, 4, ops(4, 1, journal.MaxRecordBytes)) }, "operation 4 of partition 1 takes"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := onDisk(disktest.New())
			l := create(t, cfg)
			synced(t, l, 1, 1, ops(1, 3, 10))
			l.Append(3, 1, ops(1, 1, 1)) // of the same batch: not acknowledged either
			c.broken(l)
			err := l.Sync()
			if !errors.Is(err, journal.ErrFailed) {
				t.Fatalf("got %v", err)
			}
			says(t, err, c.says)
			streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{1: {First: 1, Ops: ops(1, 3, 10)}})
		})
	}
}

func TestSync_DoesNothingWithoutOperations(t *testing.T) {
	d := disktest.New()
	l := create(t, onDisk(d))
	calls := len(d.Calls())
	l.Append(1, 1, nil)
	if err := l.Sync(); err != nil || len(d.Calls()) != calls {
		t.Errorf("%v, with %v", err, d.Calls()[calls:])
	}
}

func TestLog_IsOverOnceClosed(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	l.Append(1, 1, ops(1, 1, 1))
	unlocked(t, l, cfg)
	if err := l.Sync(); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Sync: %v", err)
	}
	if err := l.Trim(upTo(nil)); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Trim: %v", err)
	}
	streamsAre(t, recovered(t, cfg), nil)
}

// TestCreate_ReportsWhateverFails fails each call of Create in turn, and lets the next start clean up.
func TestCreate_ReportsWhateverFails(t *testing.T) {
	probe := disktest.New()
	create(t, onDisk(probe))
	for n := 1; n <= len(probe.Calls()); n++ {
		d := disktest.New()
		d.FailOn(func(c disktest.Call) error {
			if c.N == n {
				return errIO
			}
			return nil
		})
		cfg := onDisk(d)
		if _, err := journal.Create(cfg); !errors.Is(err, errIO) {
			t.Errorf("call %d, %v: got %v", n, probe.Calls()[n-1], err)
		}
		d.FailOn(nil)
		streamsAre(t, recovered(t, cfg), nil)
		again := create(t, cfg)
		synced(t, again, 1, 1, ops(1, 1, 1))
	}
}

func TestCreate_RefusesAnOriginThatWasUsedBefore(t *testing.T) {
	cfg := inDir(t)
	unlocked(t, create(t, cfg), cfg)
	if _, err := journal.Create(cfg); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

// TestRecover_ReportsADiskThatFailsMeanwhile fails each call that recovering makes, and every reading one.
func TestRecover_ReportsADiskThatFailsMeanwhile(t *testing.T) {
	cfg := onDisk(nil)
	w := write(t, cfg)
	torn := w.image[w.paths[1]][:w.last+5]
	probe := w.image.disk(t, cfg, w.paths[1], torn)
	cfg.FS = probe
	before := len(probe.Calls())
	recovered(t, cfg)
	if len(probe.Calls()) == before {
		t.Fatal("recovering a torn log changed nothing")
	}
	for n := before + 1; n <= len(probe.Calls()); n++ {
		d := w.image.disk(t, cfg, w.paths[1], torn)
		d.FailOn(func(c disktest.Call) error {
			if c.N == n {
				return errIO
			}
			return nil
		})
		cfg.FS = d
		if err := refused(t, cfg); !errors.Is(err, errIO) {
			t.Errorf("call %d: %v", n, err)
		}
		d.FailOn(nil)
		streamsAre(t, recovered(t, cfg), w.less)
	}
	for n := range 12 {
		cfg.FS = &unreadable{FS: w.image.disk(t, cfg, w.paths[1], torn), after: n}
		olds, err := journal.Recover(restarted(cfg))
		if err != nil && (!errors.Is(err, errIO) || errors.Is(err, journal.ErrDamaged)) {
			t.Errorf("reading fails at call %d: %v", n, err)
		}
		if (err == nil) != (n >= 11) {
			t.Errorf("reading fails at call %d: %v, %v", n, olds, err)
		}
	}
}

// unreadable fails every reading call but the first ones.
type unreadable struct {
	journal.FS
	after int
}

func (u *unreadable) fails() bool { u.after--; return u.after < 0 }

func (u *unreadable) List(path string) ([]string, error) {
	if u.fails() {
		return nil, errIO
	}
	return u.FS.List(path)
}

func (u *unreadable) Open(path string) (journal.File, error) {
	if u.fails() {
		return nil, errIO
	}
	f, err := u.FS.Open(path)
	return unreadableFile{f, u}, err
}

type unreadableFile struct {
	journal.File
	u *unreadable
}

func (f unreadableFile) ReadAt(p []byte, at int64) (int, error) {
	if f.u.fails() {
		return 0, errIO
	}
	return f.File.ReadAt(p, at)
}

func (f unreadableFile) Size() (int64, error) {
	if f.u.fails() {
		return 0, errIO
	}
	return f.File.Size()
}
