package sim

import (
	"flag"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "replay this seed alone; with -v, tell what happens")
	seedCount = flag.Uint64("seeds", seedsByDefault(), "how many seeds to play")
	firstSeed = flag.Uint64("first", 1, "the first of them")
	seedStep  = flag.Uint64("step", 1, "play every so-manyth seed; 5 from the first on: only those whose store comes back from an older state")
)

const (
	marksFrom   = 20_000 // so many seeds must have taken every path often enough: see marks.go
	maxFailures = 5      // seeds to report before giving up
)

// seedsByDefault takes the count from PINOCCHIO_SEEDS, as "make simulate" sets it.
func seedsByDefault() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("PINOCCHIO_SEEDS"), 10, 64); err == nil {
		return n
	}
	return defaultSeeds
}

func TestSimulation_KeepsTheRulesInEverySeed(t *testing.T) {
	if *oneSeed != 0 {
		replay(t, *oneSeed)
		return
	}
	began := time.Now()
	c := campaign{next: *firstSeed, end: *firstSeed + *seedCount**seedStep}
	c.run(t)
	took := time.Since(began)
	t.Logf("%d seeds, %d events, %.0f seeds/s", *seedCount, c.events, float64(*seedCount)/took.Seconds())
	if !t.Failed() && *seedCount > 0 {
		// The rule of three: no failure in n independent trials.
		t.Logf("none broke a rule: with 95 %% confidence, fewer than %.3g of all seeds do", 3/float64(*seedCount))
	}
	for i, n := range c.marks {
		t.Logf("%9d  %s", n, mark(i))
	}
	if rare := c.marks.Rare(); *seedCount >= marksFrom && *seedStep == 1 && len(rare) > 0 && !t.Failed() {
		t.Errorf("paths that too few histories took, so little was checked there:\n%s", strings.Join(rare, "\n"))
	}
}

// campaign plays seeds on all processors. Each history is played by one goroutine from its seed alone.
type campaign struct {
	mu     sync.Mutex
	next   uint64
	end    uint64
	marks  Marks
	events int
	failed atomic.Int32
}

func (c *campaign) run(t *testing.T) {
	var players sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		players.Go(func() {
			for seed, more := c.take(); more; seed, more = c.take() {
				r := Run(seed, nil)
				if r.Err != nil {
					c.failed.Add(1)
					t.Errorf("%v\nreplay: go test ./internal/sim -run TestSimulation -seed %d -v", r.Err, seed)
				}
				c.add(&r)
			}
		})
	}
	players.Wait()
}

func (c *campaign) take() (seed uint64, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seed = c.next
	c.next += *seedStep
	return seed, seed < c.end && c.failed.Load() < maxFailures
}

func (c *campaign) add(r *Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks.Add(&r.Marks)
	c.events += r.Events
}

func replay(t *testing.T, seed uint64) {
	trace := io.Discard
	if testing.Verbose() {
		trace = os.Stderr
	}
	if r := Run(seed, trace); r.Err != nil {
		t.Fatal(r.Err)
	}
}

func TestRun_IsTheSameEveryTime(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		var first, second strings.Builder
		a, b, untold := Run(seed, &first), Run(seed, &second), Run(seed, nil)
		if a.Marks != b.Marks || a.Events != b.Events || first.String() != second.String() || a.Marks != untold.Marks {
			t.Fatalf("seed %d gave two histories", seed)
		}
	}
}
