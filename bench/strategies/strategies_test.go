package strategies_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
	"github.com/pinocchio-nose/pinocchio/bench/strategies"
)

// tallied adds in a map and notes how far it is flushed.
type tallied struct {
	name string
	wait time.Duration // of each increment
	fail error         // of each increment
	lose int64         // forgotten by each flush

	mu      sync.Mutex
	sums    map[string]int64
	calls   int64
	flushes int
}

func (c *tallied) Name() string { return c.name }

func (c *tallied) Increment(_ context.Context, key string, delta int64) error {
	for start := time.Now(); time.Since(start) < c.wait; {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = map[string]int64{}
	}
	c.sums[key] += delta
	c.calls++
	return c.fail
}

func (c *tallied) Flush(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes++
	for key := range c.sums {
		c.sums[key] -= c.lose
	}
	return nil
}

func (c *tallied) value(_ context.Context, key string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sums[key], nil
}

func options() strategies.Options {
	return strategies.Options{Time: 40 * time.Millisecond, Warmup: 5 * time.Millisecond, Parallel: 2, Keys: 3}
}

func compare(t *testing.T) *strategies.Report {
	t.Helper()
	prepared := 0
	slow, fast := &tallied{name: "slow<&>", wait: 200 * time.Microsecond}, &tallied{name: "fast", wait: 2 * time.Microsecond}
	report, err := strategies.Compare(t.Context(), []strategies.Contender{slow, fast}, options(), func(context.Context) error {
		prepared++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if prepared != 2 || slow.flushes != 2 || fast.flushes != 2 {
		t.Errorf("prepared %d, flushed %d and %d times, want 2 each", prepared, slow.flushes, fast.flushes)
	}
	if len(slow.sums) != 3 {
		t.Errorf("%d keys, want 3", len(slow.sums))
	}
	return report
}

func TestCompare_MeasuresEachAndPutsTheFastestFirst(t *testing.T) {
	report := compare(t)
	fast, slow := report.Results[0], report.Results[1]
	if fast.Name != "fast" || slow.Name != "slow<&>" || fast.Rate <= slow.Rate {
		t.Fatalf("%+v, %+v", fast, slow)
	}
	for _, r := range report.Results {
		ordered := r.Min <= r.Median && r.Median <= r.P99 && float64(r.P99) <= 1.001*float64(r.Max)
		if !ordered || r.Average < float64(r.Min) || r.Average > float64(r.Max) || r.Samples < 2 || r.RateDeviation < 0 || math.IsNaN(r.Deviation) {
			t.Errorf("%+v", r)
		}
	}
	if slow.Min < int64(200*time.Microsecond) {
		t.Errorf("an increment of 200 µs was measured as %d ns", slow.Min)
	}
	// Two workers for 40 ms at 200 µs each: 400 increments, and two more that were under way at the end.
	if slow.Samples > 402 {
		t.Errorf("%d samples in a time for 402", slow.Samples)
	}
}

func TestReport_IsCompleteAsTextAsChartAndAsPage(t *testing.T) {
	report := compare(t)
	report.Environment = []string{"Postgres <17>"}
	report.Consistency = &strategies.Consistency{Increments: 10_000_000, Delta: 2, Want: 20_000_000, Got: 20_000_000, Took: time.Second}
	var text, svg, page strings.Builder
	var picture bytes.Buffer
	if err := errors.Join(report.WriteText(&text), report.WriteChart(&svg, chart.SVG), report.WriteChart(&picture, chart.PNG), report.WriteHTML(&page)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Postgres <17>", "parallel 2, keys 3", "p99", "to the fastest", "fastest\n", "x slower\n", "slow<&>"} {
		if !strings.Contains(strings.ReplaceAll(text.String(), "fastest  \n", "fastest\n"), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	drawn := texts(t, svg.String())
	figures := 0
	for _, s := range drawn {
		if strings.Contains(s, " ±") && !strings.Contains(s, ";") { // not the description
			figures++
		}
	}
	if !slices.Contains(drawn, "fast") || !slices.Contains(drawn, "slow<&>") || figures != 2 {
		t.Errorf("the chart has %q, want two bars with names and figures", drawn)
	}
	if _, err := png.Decode(&picture); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"Postgres &lt;17&gt;", "slow&lt;&amp;&gt;", svg.String(), "the table says 20,000,000, exact"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if rest := strings.ReplaceAll(page.String(), "http://www.w3.org/2000/svg", ""); strings.Contains(rest, "http") || strings.Contains(rest, "src=") {
		t.Error("the page needs something from elsewhere")
	}
}

// texts returns what is written in an XML document.
func texts(t *testing.T, document string) (all []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := token.(xml.CharData); ok {
			all = append(all, string(c))
		}
	}
}

func TestCheck_TellsWhetherTheSumIsRight(t *testing.T) {
	good, bad := &tallied{}, &tallied{lose: 3}
	c, err := strategies.Check(t.Context(), good, 10_001, 2, 4, good.value)
	if err != nil || !c.OK() || c.Got != 20_002 || good.calls != 10_001 {
		t.Errorf("%v (%v), %d calls", c, err, good.calls)
	}
	c, err = strategies.Check(t.Context(), bad, 10, 2, 1, bad.value)
	if err != nil || c.OK() || !strings.Contains(c.String(), "WRONG by -3") {
		t.Errorf("%v (%v)", c, err)
	}
}

func TestFailures_NameTheStrategy(t *testing.T) {
	broken := &tallied{name: "broken", fail: errors.New("disk full")}
	nothing := func(context.Context) error { return nil }
	if _, err := strategies.Compare(t.Context(), []strategies.Contender{broken}, options(), nothing); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("an increment failed: %v", err)
	}
	if _, err := strategies.Check(t.Context(), broken, 1, 1, 1, broken.value); !errors.Is(err, broken.fail) {
		t.Errorf("a consistency run failed: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := strategies.Compare(ended, []strategies.Contender{&tallied{}}, options(), nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	err := strategies.Options{Warmup: -1, Keys: -1}.Validate()
	for _, fault := range []string{"time", "warmup", "parallel", "keys"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v does not name %s", err, fault)
		}
	}
}
