package journal_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// crafted is a log whose only segment has these records.
func crafted(t *testing.T, cfg journal.Config, bodies ...[]byte) journal.Config {
	t.Helper()
	cfg.FS = image{}.disk(t, cfg, journal.SegmentPath(cfg, 1), journal.Segment(cfg, 1, 0, bodies...))
	return cfg
}

func TestRecover_RefusesRecordsThatNoLogWrites(t *testing.T) {
	op := ops(1, 1, 5)[0]
	for name, c := range map[string]struct {
		bodies [][]byte
		says   string
		is     error
	}{
		"a gap":               {[][]byte{journal.Body(1, 1, op, op), journal.Body(1, 4, op)}, "number 4 comes behind 2", journal.ErrDamaged},
		"backwards":           {[][]byte{journal.Body(1, 5, op), journal.Body(1, 4, op)}, "run backwards", journal.ErrDamaged},
		"another content":     {[][]byte{journal.Body(1, 1, op), journal.Body(1, 1, ops(2, 1, 5)...)}, "twice with different content", journal.ErrDamaged},
		"number 0":            {[][]byte{journal.Body(1, 0, op)}, "from number 0", journal.ErrDamaged},
		"numbers run out":     {[][]byte{journal.Body(1, ^uint64(0), op)}, "from number 18446744073709551615", journal.ErrDamaged},
		"no such partition":   {[][]byte{journal.Raw(1, []byte{255, 255, 255, 255, 127, 1, 0})}, "partition", journal.ErrDamaged},
		"a count too high":    {[][]byte{journal.Raw(1, []byte{1, 1, 255, 255, 3})}, "cut short", journal.ErrDamaged},
		"a key too long":      {[][]byte{journal.Raw(1, []byte{1, 1, 1, 0, 0, 255, 255, 3})}, "cut short", journal.ErrDamaged},
		"a varint too long":   {[][]byte{journal.Raw(1, []byte(strings.Repeat("\xff", 9)+"\x02"))}, "too large", journal.ErrDamaged},
		"half a batch":        {[][]byte{journal.Raw(1, []byte{1})}, "cut short", journal.ErrDamaged},
		"a newer record type": {[][]byte{journal.Raw(9, nil)}, "record of type 9", journal.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, crafted(t, onDisk(nil), c.bodies...))
			if !errors.Is(err, c.is) {
				t.Errorf("got %v", err)
			}
			says(t, err, c.says)
		})
	}
}

func TestRecover_TakesARepeatWithTheSameContent(t *testing.T) {
	cfg := crafted(t, onDisk(nil), journal.Body(1, 4, ops(4, 3, 5)...), journal.Body(1, 5, ops(5, 4, 5)...), journal.Body(1, 4, ops(4, 1, 5)...))
	streamsAre(t, recovered(t, cfg), map[uint32]journal.Stream{1: {First: 4, Ops: ops(4, 5, 5)}})
}

func TestRecover_RefusesANewerFormat(t *testing.T) {
	cfg := onDisk(nil)
	b := journal.Segment(cfg, 1, 0, journal.Body(1, 1, ops(1, 1, 5)...))
	b[11] = 2
	cfg.FS = image{}.disk(t, cfg, journal.SegmentPath(cfg, 1), b)
	err := refused(t, cfg)
	if !errors.Is(err, journal.ErrFormat) {
		t.Errorf("got %v", err)
	}
	says(t, err, "format 2", "start the version that wrote it")
}

func TestRecover_RefusesAnotherClustersLog(t *testing.T) {
	cfg := crafted(t, onDisk(nil), journal.Body(1, 1, ops(1, 1, 5)...))
	cfg.Cluster = 8
	err := refused(t, cfg)
	if !errors.Is(err, journal.ErrOtherCluster) {
		t.Errorf("got %v", err)
	}
	says(t, err, "/data/journal/"+writer.String(), "digest 0000000000000007", "0000000000000008", "move the folder away")
}

func TestRecover_RefusesALogThatTheLedgerMayHaveForgotten(t *testing.T) {
	cfg := crafted(t, onDisk(nil), journal.Body(1, 1, ops(1, 1, 5)...))
	cfg.MaxAge = time.Hour
	cfg.Now = journal.Clock(start.Add(time.Hour))
	if recovered(t, cfg) == nil {
		t.Error("a log of just that age was dropped")
	}
	cfg.Now = journal.Clock(start.Add(time.Hour + time.Second))
	err := refused(t, cfg)
	if !errors.Is(err, journal.ErrTooOld) {
		t.Errorf("got %v", err)
	}
	says(t, err, "1h0m1s ago", "keeps 1h0m0s", "2026-11-23T12:00:00Z", "Move the folder away")
	cfg.MaxAge = 0
	if recovered(t, cfg) == nil {
		t.Error("without a limit it was dropped")
	}
}

func TestRecover_RemovesALogWithNothingInIt(t *testing.T) {
	for name, cfg := range map[string]journal.Config{
		"no record":          crafted(t, onDisk(nil)),
		"everything skipped": crafted(t, onDisk(nil), journal.Body(1, 1, ops(1, 2, 5)...), journal.Body(1, 9)),
		"no segment":         withFS(onDisk(nil), func(c journal.Config) journal.FS { return image{}.disk(t, c, "", nil) }),
		"half a header": withFS(onDisk(nil), func(c journal.Config) journal.FS {
			return image{}.disk(t, c, journal.SegmentPath(c, 1), journal.Segment(c, 1, 0)[:40])
		}),
		"old and empty": withFS(onDisk(nil), func(c journal.Config) journal.FS {
			c.Now = journal.Clock(start.AddDate(-1, 0, 0))
			return image{}.disk(t, c, journal.SegmentPath(c, 1), journal.Segment(c, 1, 0))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			cfg.MaxAge = time.Hour
			if old := recovered(t, cfg); old != nil {
				t.Errorf("recovered %v", old)
			}
			if names, err := cfg.FS.List(cfg.Dir); err != nil || len(names) != 0 {
				t.Errorf("left behind: %v, %v", names, err)
			}
		})
	}
}

func withFS(cfg journal.Config, fs func(journal.Config) journal.FS) journal.Config {
	cfg.FS = fs(cfg)
	return cfg
}

func TestRecover_NamesEveryLogThatItRefuses(t *testing.T) {
	d := disktest.New()
	for _, origin := range []byte{1, 2, 3} {
		cfg := onDisk(d)
		cfg.Origin[15] = 10 * origin
		cfg.Cluster = uint64(origin)
		l := create(t, cfg)
		synced(t, l, 1, 1, ops(1, 1, 1))
		unlocked(t, l, cfg)
	}
	cfg := onDisk(d)
	cfg.Cluster = 2
	says(t, refused(t, cfg), "8000-00000000000a", "8000-00000000001e")
	// The one that was in order is free again.
	cfg.Origin[15] = 20
	lock, err := d.Lock("/data/journal/" + cfg.Origin.String() + "/lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecover_LeavesWhatIsNoLogAlone(t *testing.T) {
	log, lines := logged()
	cfg := inDir(t)
	cfg.Logger = log
	l := create(t, cfg)
	synced(t, l, 1, 1, ops(1, 1, 1))
	unlocked(t, l, cfg)
	folder := cfg.Dir + "/" + writer.String()
	for _, path := range []string{cfg.Dir + "/" + writer.String() + ".aside", cfg.Dir + "/README", folder + "/note", folder + "/1.log"} {
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	olds, err := journal.Recover(restarted(cfg))
	if err != nil || len(olds) != 1 {
		t.Fatalf("got %v, %v", olds, err)
	}
	if !strings.Contains(lines.String(), "README") || !strings.Contains(lines.String(), ".aside") {
		t.Errorf("logged only:\n%s", lines)
	}
	if err := olds[0].Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder + "/note"); err != nil {
		t.Error(err)
	}
	if olds, err := journal.Recover(restarted(cfg)); err != nil || len(olds) != 0 {
		t.Errorf("the next start: %v, %v", olds, err)
	}
}

func TestConfig_NamesEveryFaultAtOnce(t *testing.T) {
	bad := journal.Config{SegmentBytes: 5, MaxAge: -1}
	_, err := journal.Create(bad)
	if err == nil {
		t.Fatal("accepted")
	}
	says(t, err, "the folder is not set", "segments of 5 bytes", "-1ns is negative", "the origin is not set")
	if _, err := journal.Recover(bad); err == nil {
		t.Error("Recover accepted it")
	}
}
