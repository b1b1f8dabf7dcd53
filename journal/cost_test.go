package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/journal"
)

// batches are n operations over eight partitions, as a group commit brings them.
func batches(n int) [][]journal.Op {
	out := make([][]journal.Op, min(n, 8))
	for i := range n {
		out[i%len(out)] = append(out[i%len(out)], journal.Op{Key: fmt.Sprintf("page:%012d", i), Delta: int64(i)})
	}
	return out
}

// group appends the batches, each behind what its partition has, and syncs.
func group(l *journal.Log, next []uint64, batches [][]journal.Op) error {
	for p, b := range batches {
		l.Append(uint32(p), next[p], b)
		next[p] += uint64(len(b))
	}
	return l.Sync()
}

func ones() []uint64 { return slices.Repeat([]uint64{1}, 8) }

func TestLog_DoesNotAllocateInSteadyState(t *testing.T) {
	l := create(t, inDir(t))
	b, next := batches(1000), ones()
	if n := testing.AllocsPerRun(50, func() {
		if err := group(l, next, b); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each group commit", n)
	}
}

// TestLog_LetsAHugeBufferGo: one large batch does not hold its memory for ever.
func TestLog_LetsAHugeBufferGo(t *testing.T) {
	cfg := inDir(t)
	cfg.Dir = t.TempDir()
	l := create(t, cfg)
	huge := ops(1, 12_000, 1000)
	synced(t, l, 1, 1, huge)
	small := ops(12_001, 1, 10)
	n := uint64(12_000)
	if allocs := testing.AllocsPerRun(1, func() {
		n++
		synced(t, l, 1, n, small)
	}); allocs > 2 {
		t.Errorf("%v allocations", allocs)
	}
	if n := journal.Buffered(l); n > 8<<20 {
		t.Errorf("the buffer keeps %d bytes", n)
	}
}

func BenchmarkSync(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("ops=%d", n), func(b *testing.B) {
			l := create(b, inDir(b))
			group8, next := batches(n), ones()
			took := make([]time.Duration, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				t := time.Now()
				if err := group(l, next, group8); err != nil {
					b.Fatal(err)
				}
				if len(took) < cap(took) {
					took = append(took, time.Since(t))
				}
			}
			slices.Sort(took)
			s := l.Stats()
			b.ReportMetric(float64(s.Ops)/b.Elapsed().Seconds(), "ops/s")
			b.ReportMetric(float64(s.Written)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(s.Written)/float64(s.Ops), "B/op-disk")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkAppend is the cost of encoding alone, in operations.
func BenchmarkAppend(b *testing.B) {
	l := create(b, inDir(b))
	batch, next := batches(1000), ones()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := i % len(batch)
		l.Append(uint32(p), next[p], batch[p])
		next[p] += uint64(len(batch[p]))
		if i%800 == 799 {
			b.StopTimer()
			if err := l.Sync(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N*len(batch[0]))/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkRecover reads a log of 500,000 operations in records of 1,000.
func BenchmarkRecover(b *testing.B) {
	cfg := inDir(b)
	l := create(b, cfg)
	group8, next := batches(1000), ones()
	for range 500 {
		if err := group(l, next, group8); err != nil {
			b.Fatal(err)
		}
	}
	size := l.Bytes()
	unlocked(b, l, cfg)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		recovered(b, cfg)
	}
	b.ReportMetric(float64(500_000*b.N)/b.Elapsed().Seconds(), "ops/s")
}
