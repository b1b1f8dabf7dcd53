package journal_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		runChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	writer = uuid.MustParse("0198c7d2-0000-7000-8000-000000000001") // whose log the tests write
	reader = uuid.MustParse("0198c7d2-0000-7000-8000-000000000002") // the process after it
	start  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

// onDisk is a writer's configuration with small segments on a modelled disk.
func onDisk(fs journal.FS) journal.Config {
	return journal.Config{
		Dir: "/data/journal", Origin: writer, Cluster: 7, SegmentBytes: 4096, Now: journal.Clock(start), FS: fs,
	}
}

// inDir is a writer's configuration on real files.
func inDir(t testing.TB) journal.Config {
	return journal.Config{Dir: filepath.Join(t.TempDir(), "journal"), Origin: writer, Cluster: 7}
}

// restarted is the same node's next process.
func restarted(cfg journal.Config) journal.Config {
	cfg.Origin = reader
	return cfg
}

func ops(first uint64, n, size int) []journal.Op {
	out := make([]journal.Op, n)
	for i := range out {
		number := first + uint64(i)
		out[i] = journal.Op{Key: fmt.Sprintf("%d:%s", number, strings.Repeat("k", size)), Delta: int64(number) - 3, Flags: uint8(number)}
		if number%3 == 0 {
			out[i].ID = fmt.Sprintf("id-%d", number)
		}
	}
	return out
}

func create(t testing.TB, cfg journal.Config) *journal.Log {
	t.Helper()
	l, err := journal.Create(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func synced(t testing.TB, l *journal.Log, partition uint32, first uint64, ops []journal.Op) {
	t.Helper()
	l.Append(partition, first, ops)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
}

// recovered reads the writer's log as the next process, and closes it again; nil when there is none.
func recovered(t testing.TB, cfg journal.Config) *journal.Old {
	t.Helper()
	olds, err := journal.Recover(restarted(cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range olds {
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(olds) == 0 {
		return nil
	}
	if len(olds) > 1 || olds[0].Origin != writer {
		t.Fatalf("recovered %d logs, want one of %v", len(olds), writer)
	}
	return olds[0]
}

func streamsAre(t testing.TB, old *journal.Old, want map[uint32]journal.Stream) {
	t.Helper()
	var got map[uint32]journal.Stream
	if old != nil {
		got = old.Streams
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("streams (-want +got):\n%s", diff)
	}
}

// refused reads the writer's log as the next process, which must not accept it.
func refused(t testing.TB, cfg journal.Config) error {
	t.Helper()
	olds, err := journal.Recover(restarted(cfg))
	if err == nil {
		t.Fatalf("the log was accepted, with %v", olds)
	}
	if olds != nil {
		t.Errorf("an error together with %d logs", len(olds))
	}
	return err
}

// says checks that an error tells an operator all of these.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q:\n%v", w, err)
		}
	}
}

// logged returns a logger and what it has written.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

// image is the content of a log on a modelled disk: path to bytes.
type image map[string][]byte

func imageOf(t testing.TB, d *disktest.Disk, cfg journal.Config) image {
	t.Helper()
	m := make(image)
	for n := uint64(1); n < 100; n++ {
		f, err := d.Open(journal.SegmentPath(cfg, n))
		if err != nil {
			continue
		}
		size, err := f.Size()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, size)
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		m[journal.SegmentPath(cfg, n)] = b
	}
	return m
}

// disk returns a new disk with the image on it, one file replaced.
func (m image) disk(t testing.TB, cfg journal.Config, path string, content []byte) *disktest.Disk {
	t.Helper()
	d := disktest.New()
	for _, dir := range []string{"/data", "/data/journal", "/data/journal/" + cfg.Origin.String()} {
		if err := d.Mkdir(dir); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path string, b []byte) {
		f, err := d.Create(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
	}
	for p, b := range m {
		if p != path {
			put(p, b)
		}
	}
	if content != nil {
		put(path, content)
	}
	return d
}

func mustParse(t testing.TB, id string) []byte {
	t.Helper()
	u, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	return u[:]
}
