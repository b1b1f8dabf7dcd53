package expo

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

func text(s string) Source { return func(w io.Writer) { io.WriteString(w, s) } }

func TestWrite_PutsEachFamilyTogetherUnderItsLines(t *testing.T) {
	table := Table{
		{"b_seconds", TypeHistogram, "Takes \\ and\nlines."},
		{"a_total", TypeCounter, "Counts."},
		{"s", TypeSummary, "Sums up."},
		{"absent", TypeGauge, "Has no sample."},
	}
	var out bytes.Buffer
	table.Write(&out,
		text("a_total{x=\"1\"} 1\nb_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 3\n# HELP a_total wrong\n# TYPE a_total gauge\n\nodd 4\n"),
		text("a_total{x=\"2\"} 5\r\nb_seconds_count 2\ns{quantile=\"0.5\"} 6\ns_sum 7\ns_count 8\ns_bucket 9"))
	want := "# HELP b_seconds Takes \\\\ and\\nlines.\n# TYPE b_seconds histogram\n" +
		"b_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 3\nb_seconds_count 2\n" +
		"# HELP a_total Counts.\n# TYPE a_total counter\na_total{x=\"1\"} 1\na_total{x=\"2\"} 5\n" +
		"# HELP s Sums up.\n# TYPE s summary\ns{quantile=\"0.5\"} 6\ns_sum 7\ns_count 8\n" +
		"# HELP odd Not described.\n# TYPE odd untyped\nodd 4\n" +
		"# HELP s_bucket Not described.\n# TYPE s_bucket untyped\ns_bucket 9\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWrite_LeavesTheLibrarysSwitchAlone(t *testing.T) {
	set := metrics.NewSet()
	set.NewCounter(`c_total{a="b"}`).Inc()
	table := Table{{"c_total", TypeCounter, "Counts."}}
	want := "# HELP c_total Counts.\n# TYPE c_total counter\nc_total{a=\"b\"} 1\n"
	for _, on := range []bool{false, true} { // another user of the library in this process may set it
		metrics.ExposeMetadata(on)
		var out bytes.Buffer
		table.Write(&out, set.WritePrometheus)
		if out.String() != want {
			t.Errorf("switch %v: %s", on, out.String())
		}
	}
	metrics.ExposeMetadata(false)
}

// When a new version of the library adds a metric, this fails until the table describes it.
func TestWriteProcess_DescribesAllThatTheLibraryWrites(t *testing.T) {
	var out bytes.Buffer
	WriteProcess(&out)
	page := out.String()
	for _, fault := range Lint(&out) {
		t.Error(fault)
	}
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_cpu_seconds_total ", "\nprocess_open_fds ", "# TYPE go_gc_duration_seconds summary\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestLint_NamesEveryFault(t *testing.T) {
	for page, want := range map[string]string{
		"a 1\n":                           `"a 1" stands without HELP and TYPE`,
		"# TYPE a gauge\na 1\n":           `"a 1" stands without HELP and TYPE`,
		"# HELP a x\na 1\n":               `"a 1" stands without HELP and TYPE`,
		"# HELP a\n# TYPE a gauge\na 1\n": "a has no description",
		"# HELP a Not described.\n# TYPE a gauge\na 1\n":                                "a has no description",
		"# HELP a x\n# TYPE a gauge\na 1\na 1\n":                                        `"a" is repeated`,
		"# HELP a x\n# TYPE a gauge\na one\n":                                           `"a one" has a value that is no number`,
		"# HELP a x\n# TYPE a gauge\na\n":                                               `"a" has no value`,
		"# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n":                                 "a is written twice",
		"# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\nb 1\na 1\n":            `"a 1" does not stand with its family`,
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n": "",
		"# a comment\n\n": "",
	} {
		faults := Lint(strings.NewReader(page))
		if want == "" && len(faults) > 0 || want != "" && !slices.Contains(faults, want) {
			t.Errorf("%q: %q, want %q", page, faults, want)
		}
	}
	if faults := Lint(strings.NewReader(strings.Repeat("x", 1<<20))); len(faults) == 0 {
		t.Error("a line of 1 MiB is no fault")
	}
}

func TestHistogram_CountsEachDurationInItsBucket(t *testing.T) {
	h := NewHistogram([]time.Duration{time.Millisecond, 10 * time.Millisecond}, 3)
	for i, d := range []time.Duration{-time.Second, 0, time.Millisecond, time.Millisecond + 1, 10 * time.Millisecond, time.Second, time.Hour} {
		h.Observe(uint64(i), d)
	}
	var out bytes.Buffer
	h.Expose(&out, "x_seconds", `a="b"`)
	want := "x_seconds_bucket{a=\"b\",le=\"0.001\"} 3\nx_seconds_bucket{a=\"b\",le=\"0.01\"} 5\nx_seconds_bucket{a=\"b\",le=\"+Inf\"} 7\n" +
		"x_seconds_sum{a=\"b\"} 3601.012000001\nx_seconds_count{a=\"b\"} 7\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	h.Expose(&out, "x_seconds", "")
	if !strings.Contains(out.String(), "x_seconds_bucket{le=\"0.001\"} 3\n") || !strings.Contains(out.String(), "x_seconds_count 7\n") {
		t.Errorf("without labels:\n%s", out.String())
	}
}

func TestHistogram_LosesNothingBetweenObservers(t *testing.T) {
	h := NewHistogram([]time.Duration{1, 2, 3}, 4)
	var observers sync.WaitGroup
	const each = 10000
	for i := range uint64(7) { // more than stripes
		observers.Go(func() {
			for n := range each {
				h.Observe(i, time.Duration(n%5))
			}
		})
	}
	observers.Wait()
	if h.Count() != 7*each || h.Sum() != 7*each*2 {
		t.Errorf("count %d, sum %d", h.Count(), h.Sum())
	}
	if n := testing.AllocsPerRun(100, func() { h.Observe(math.MaxUint64, time.Second) }); n != 0 {
		t.Errorf("%v allocations for an observation", n)
	}
}

func TestNewHistogram_PanicsOnImpossibleBounds(t *testing.T) {
	for _, bounds := range [][]time.Duration{nil, {0}, {-1, 1}, {1, 1}, {2, 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was accepted", bounds)
				}
			}()
			NewHistogram(bounds, 1)
		}()
	}
}

// The two benchmarks are why Histogram exists: run them with -cpu 2 or more.
func BenchmarkHistogram(b *testing.B) {
	h := NewHistogram([]time.Duration{time.Microsecond, time.Millisecond, time.Second}, 8)
	var next sync.Mutex
	stripe := uint64(0)
	b.RunParallel(func(pb *testing.PB) {
		next.Lock()
		stripe++
		mine := stripe
		next.Unlock()
		for pb.Next() {
			h.Observe(mine, 5*time.Microsecond)
		}
	})
}

func BenchmarkHistogramOfTheLibrary(b *testing.B) {
	h := metrics.NewSet().NewPrometheusHistogramExt("x", []float64{1e-6, 1e-3, 1})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.Update(5e-6)
		}
	})
}

func ExampleTable_Write() {
	table := Table{{Name: "eggs_total", Type: TypeCounter, Help: "Eggs laid."}}
	var page bytes.Buffer
	table.Write(&page, func(w io.Writer) { fmt.Fprintln(w, "eggs_total 3") })
	fmt.Print(page.String())
	// Output:
	// # HELP eggs_total Eggs laid.
	// # TYPE eggs_total counter
	// eggs_total 3
}
