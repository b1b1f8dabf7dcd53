package journal_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// TestLog_ReturnsWhatWasSyncedInNumberOrder compares a log with a plain map through any run of appends, skips and syncs.
func TestLog_ReturnsWhatWasSyncedInNumberOrder(t *testing.T) {
	anyOp := rapid.Custom(func(t *rapid.T) journal.Op {
		return journal.Op{
			Key:   string(rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "key")),
			Delta: rapid.Int64().Draw(t, "delta"),
			Flags: rapid.Byte().Draw(t, "flags"),
			ID:    rapid.StringN(0, 20, 80).Draw(t, "id"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		d := disktest.New()
		cfg := onDisk(d)
		cfg.SegmentBytes = rapid.SampledFrom([]int64{4096, 10_000, 1 << 20}).Draw(rt, "segment")
		l, err := journal.Create(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		appended, durable := make(map[uint32]journal.Stream), make(map[uint32]journal.Stream)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			p := rapid.SampledFrom([]uint32{0, 1, 270, math.MaxUint32}).Draw(rt, "partition")
			s, known := appended[p]
			if !known {
				s.First = rapid.SampledFrom([]uint64{1, 2, 1 << 40}).Draw(rt, "first")
			}
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				over := rapid.Uint64Range(0, 5).Draw(rt, "over")
				l.Skip(p, s.First+uint64(len(s.Ops))+over)
				if known && over > 0 {
					appended[p] = journal.Stream{First: s.First + uint64(len(s.Ops)) + over}
				}
			case 1, 2, 3:
				if err := l.Sync(); err != nil {
					rt.Fatal(err)
				}
				durable = make(map[uint32]journal.Stream)
				for p, s := range appended {
					if len(s.Ops) > 0 {
						durable[p] = s
					}
				}
			default:
				more := rapid.SliceOfN(anyOp, 1, 8).Draw(rt, "ops")
				l.Append(p, s.First+uint64(len(s.Ops)), more)
				s.Ops = append(s.Ops[:len(s.Ops):len(s.Ops)], more...)
				appended[p] = s
			}
		}
		if err := l.Close(); err != nil {
			rt.Fatal(err)
		}
		got := map[uint32]journal.Stream{}
		if old := recovered(t, cfg); old != nil {
			got = old.Streams
		}
		if diff := cmp.Diff(durable, got); diff != "" {
			rt.Fatalf("streams (-want +got):\n%s", diff)
		}
	})
}

func TestLog_TakesEveryDeltaNumberAndPartition(t *testing.T) {
	cfg := onDisk(disktest.New())
	l := create(t, cfg)
	edge := []journal.Op{
		{Delta: math.MinInt64, Flags: 255},
		{Delta: math.MaxInt64, Key: "\x00\xff"},
		{Delta: 0, ID: strings.Repeat("i", 300)},
		{Delta: -1, Key: strings.Repeat("k", 70_000)},
	}
	last := uint64(math.MaxUint64) - uint64(len(edge))
	l.Append(math.MaxUint32, last, edge)
	synced(t, l, 0, 1, edge)
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{
		math.MaxUint32: {First: last, Ops: edge}, 0: {First: 1, Ops: edge},
	})
}

// unlocked closes the log, so that the next process may read it.
func unlocked(t testing.TB, l *journal.Log, cfg journal.Config) journal.Config {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestLog_SplitsWhatNeedsSeveralRecords(t *testing.T) {
	d := disktest.New()
	cfg := onDisk(d)
	cfg.SegmentBytes = 4 << 20
	l := create(t, cfg)
	many := ops(1, 4000, 1000)
	before := len(d.Calls())
	synced(t, l, 5, 1, many)
	if n := l.Stats().Records; n < 4 {
		t.Errorf("%d records hold 4 MB, of at most 1 MiB each", n)
	}
	// Each record is durable before the next is begun: a torn one is always the last.
	for _, c := range d.Calls()[before:] {
		want := disktest.Write
		if (c.N-before)%2 == 0 {
			want = disktest.Sync
		}
		if c.Kind != want && l.Segments() == 1 {
			t.Errorf("call %d is %s, want %s", c.N, c.Kind, want)
		}
	}
	streamsAre(t, recovered(t, unlocked(t, l, cfg)), map[uint32]journal.Stream{5: {First: 1, Ops: many}})
}

func TestRecover_GivesTimesAndSize(t *testing.T) {
	d := disktest.New()
	cfg := onDisk(d)
	now := start
	cfg.Now = func() time.Time { return now }
	l := create(t, cfg)
	now = now.Add(time.Minute)
	synced(t, l, 1, 1, ops(1, 3, 10))
	size := l.Bytes()
	old := recovered(t, unlocked(t, l, cfg))
	if !old.Created.Equal(start) || !old.Newest.Equal(now) || old.Bytes != size {
		t.Errorf("created %v, newest %v, %d bytes; want %v, %v, %d", old.Created, old.Newest, old.Bytes, start, now, size)
	}
}

func TestRecover_ReturnsOldestOriginFirstAndPassesThePresentOneOver(t *testing.T) {
	d := disktest.New()
	for _, id := range []string{"0198c7d2-0000-7000-8000-00000000000f", "0198c7d2-0000-7000-8000-00000000000a"} {
		cfg := onDisk(d)
		copy(cfg.Origin[:], mustParse(t, id))
		l := create(t, cfg)
		synced(t, l, 1, 1, ops(1, 1, 1))
		unlocked(t, l, cfg)
	}
	mine := onDisk(d)
	l := create(t, mine)
	synced(t, l, 1, 1, ops(1, 1, 1))
	olds, err := journal.Recover(mine)
	if err != nil {
		t.Fatal(err)
	}
	if len(olds) != 2 || olds[0].Origin.String() > olds[1].Origin.String() {
		t.Fatalf("recovered %v", olds)
	}
	for _, old := range olds {
		if err := old.Remove(); err != nil {
			t.Error(err)
		}
	}
	if olds, err = journal.Recover(mine); err != nil || len(olds) != 0 {
		t.Errorf("after their removal: %v, %v", olds, err)
	}
	if err := l.Remove(); err != nil {
		t.Error(err)
	}
	names, err := d.List(mine.Dir)
	if err != nil || len(names) != 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

func TestRecover_FindsNothingWithoutAFolder(t *testing.T) {
	if olds, err := journal.Recover(onDisk(disktest.New())); olds != nil || err != nil {
		t.Errorf("got %v, %v", olds, err)
	}
}
