package sim

import (
	"flag"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this seed alone, with a trace under -v")
	seedsFlag = flag.Uint64("seeds", 10_000, "how many seeds to play")
	firstFlag = flag.Uint64("first", 1, "the first seed")
)

func TestSimulation_KeepsTheRulesInEverySeed(t *testing.T) {
	if *seedFlag != 0 {
		replay(t, *seedFlag)
		return
	}
	var next, failed atomic.Uint64
	next.Store(*firstFlag)
	end := *firstFlag + *seedsFlag
	var mu sync.Mutex
	var all Marks
	events := 0
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			var mine Marks
			count := 0
			for seed := next.Add(1) - 1; seed < end && failed.Load() < 5; seed = next.Add(1) - 1 {
				r := Run(seed, nil)
				mine.Add(&r.Marks)
				count += r.Events
				if r.Err != nil {
					failed.Add(1)
					t.Errorf("%v\nreplay: go test ./internal/sim -run TestSimulation -seed %d -v", r.Err, seed)
				}
			}
			mu.Lock()
			all.Add(&mine)
			events += count
			mu.Unlock()
		})
	}
	workers.Wait()
	t.Logf("%d events", events)
	for i, n := range all {
		t.Logf("%9d  %s", n, mark(i))
	}
}

func replay(t *testing.T, seed uint64) {
	if r := Run(seed, os.Stderr); r.Err != nil {
		t.Fatal(r.Err)
	}
}
