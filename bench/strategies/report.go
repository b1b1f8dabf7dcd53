package strategies

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Result is what one contender showed.
type Result struct {
	Name          string        `json:"name"`
	Samples       int64         `json:"samples"`
	Rate          float64       `json:"rate"`           // increments a second, the last flush included
	RateDeviation float64       `json:"rate_deviation"` // standard deviation of the rates of a twentieth of the time each
	Average       float64       `json:"average_ns"`     // of one increment's time
	Deviation     float64       `json:"deviation"`      // standard deviation of one increment's time, as a share of the average
	Median        int64         `json:"median_ns"`
	P99           int64         `json:"p99_ns"`
	Min           int64         `json:"min_ns"`
	Max           int64         `json:"max_ns"`
	Flush         time.Duration `json:"flush_ns"` // the last flush, after the load
}

// Report compares the contenders.
type Report struct {
	Title       string        `json:"title"`
	Environment []string      `json:"environment"` // one fact a line: server, processors, program
	Time        time.Duration `json:"time_ns"`
	Warmup      time.Duration `json:"warmup_ns"`
	Parallel    int           `json:"parallel"`
	Keys        int           `json:"keys"`
	Results     []*Result     `json:"results"` // the fastest first
	Consistency *Consistency  `json:"consistency,omitempty"`
}

// Compare measures the contenders in turn; before is called ahead of each.
func Compare(ctx context.Context, contenders []Contender, o Options, before func(context.Context) error) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	report := &Report{Title: "Strategies", Time: o.Time, Warmup: o.Warmup, Parallel: o.Parallel, Keys: o.Keys}
	for _, c := range contenders {
		if o.Progress != nil {
			_, _ = fmt.Fprintf(o.Progress, "measuring %s for %v\n", c.Name(), o.Warmup+o.Time)
		}
		if err := before(ctx); err != nil {
			return nil, fmt.Errorf("prepare for %s: %w", c.Name(), err)
		}
		r, err := Measure(ctx, c, o)
		if err != nil {
			return nil, err
		}
		report.Results = append(report.Results, r)
	}
	slices.SortStableFunc(report.Results, func(a, b *Result) int { return cmp.Compare(b.Rate, a.Rate) })
	return report, nil
}

// columns are the table's heads.
var columns = [...]string{"strategy", "rate/s", "average", "deviation", "median", "p99", "minimum", "maximum", "samples", "to the fastest"}

// rows are the table's cells, in the order of columns.
func (r *Report) rows() [][]string {
	rows := make([][]string, 0, len(r.Results))
	for _, s := range r.Results {
		rows = append(rows, []string{
			s.Name, count(s.Rate), nanos(s.Average), fmt.Sprintf("±%.0f%%", 100*s.Deviation), nanos(float64(s.Median)),
			nanos(float64(s.P99)), nanos(float64(s.Min)), nanos(float64(s.Max)), count(float64(s.Samples)),
			ratio(r.Results[0].Rate / s.Rate),
		})
	}
	return rows
}

// WriteText writes the table.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells []string) {
		for _, c := range cells {
			_, _ = fmt.Fprintf(t, "%s\t", c)
		}
		_, _ = fmt.Fprintln(t)
	}
	for _, fact := range append(slices.Clone(r.Environment), r.conditions()) {
		if _, err := fmt.Fprintln(w, fact); err != nil {
			return err
		}
	}
	line(columns[:])
	for _, row := range r.rows() {
		line(row)
	}
	return t.Flush() // which returns the first error of its writes
}

func (r *Report) conditions() string {
	return fmt.Sprintf("each %v after %v of warm-up, parallel %d, keys %d", r.Time, r.Warmup, r.Parallel, r.Keys)
}

// count writes a number with thousands apart.
func count(x float64) string {
	if x < 100 {
		return fmt.Sprintf("%.1f", x)
	}
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// nanos writes a time with three digits and a unit.
func nanos(ns float64) string {
	for _, u := range [...]struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= u.size {
			return fmt.Sprintf("%.3g %s", ns/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", ns)
}

// ratio writes how many times slower.
func ratio(x float64) string {
	if x == 1 {
		return "fastest"
	}
	return fmt.Sprintf("%.2fx slower", x)
}
