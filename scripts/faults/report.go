package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is a scenario's line in the table at the end.
type row struct {
	scenario                  string
	requests, failed, later   int64
	unknown, missing, doubled int64
	recovery                  time.Duration
	hasRecovery               bool
	took                      time.Duration
	verdict                   string
}

// report collects what a scenario shows, and tells it as it comes. It is for one goroutine.
type report struct {
	out    io.Writer
	began  time.Time
	row    row
	broken []string
	why    error // not run
}

func newReport(out io.Writer, s scenario) *report {
	r := &report{out: out, began: time.Now(), row: row{scenario: s.name}}
	_, _ = fmt.Fprintf(out, "\n== %s: %s\n", s.name, s.promise)
	return r
}

// note tells what happened, with the time since the scenario's beginning.
func (r *report) note(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, "%7.2f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// promise notes a promise that was kept, or breaks it.
func (r *report) promise(kept bool, format string, args ...any) {
	if !kept {
		r.breaks(format, args...)
		return
	}
	r.note("kept: "+format, args...)
}

// breaks notes a broken promise.
func (r *report) breaks(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.broken = append(r.broken, text)
	r.note("BROKEN: %s", text)
}

// skip notes that the scenario could not be run on this machine.
func (r *report) skip(why error) { r.why = why }

// kept says that no promise was broken.
func (r *report) kept() bool { return len(r.broken) == 0 }

// close gives the verdict.
func (r *report) close() {
	r.row.took = time.Since(r.began)
	switch {
	case r.why != nil:
		r.row.verdict = r.why.Error()
	case r.kept():
		r.row.verdict = "kept"
	default:
		r.row.verdict = fmt.Sprintf("BROKEN (%d)", len(r.broken))
	}
	r.note("%s: %s", r.row.scenario, r.row.verdict)
}

// writeTable writes one line for each scenario.
func writeTable(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "scenario\trequests\tfailed\tlater\tunknown\tmissing\tdoubled\trecovery\ttook\t  verdict")
	for _, r := range rows {
		recovery := "-"
		if r.hasRecovery {
			recovery = fmt.Sprintf("%.2f s", r.recovery.Seconds())
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%.0f s\t  %s\n",
			r.scenario, r.requests, r.failed, r.later, r.unknown, r.missing, r.doubled, recovery, r.took.Seconds(), r.verdict)
	}
	return w.Flush()
}
