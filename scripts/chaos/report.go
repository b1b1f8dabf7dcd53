package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/check"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

// report is what came of a run. The JSON has the same names.
type report struct {
	Seed            uint64                     `json:"seed"`
	Duration        string                     `json:"duration"`
	Nodes           int                        `json:"nodes"`
	Lease           string                     `json:"lease"`
	Missing         []string                   `json:"not_offered"`
	NotInjected     []string                   `json:"not_injected"`
	Faults          []faultCount               `json:"faults"`
	Levels          [history.Levels]levelCount `json:"levels"`
	Reads           int                        `json:"reads"`
	StaleReads      int                        `json:"stale_reads"`
	Retries         int                        `json:"idempotent_retries"`
	Replays         int                        `json:"idempotent_replays"`
	IdempotentKeys  int                        `json:"idempotent_counters"`
	IdempotentExact int                        `json:"idempotent_counters_exact"`
	Compared        int                        `json:"values_compared_with_table"`
	Linear          [check.Illegal + 1]int     `json:"linearizable_flickering_stepped_inconclusive_illegal"`
	FailedStarts    int                        `json:"starts_given_up"`
	BadLeaves       int                        `json:"leaves_with_status"`
	Ended           []string                   `json:"processes_at_risk"`
	Audit           []string                   `json:"audit"` // what "pinocchio audit" printed after the load
	MaxMemory       int64                      `json:"max_node_memory_bytes"`
	Violations      []string                   `json:"violations"`
}

type faultCount struct {
	Kind     string `json:"kind"`
	Injected int    `json:"injected"`
	Skipped  int    `json:"skipped"`
}

// levelCount counts increments of one durability: calls by outcome, counters, and sums.
type levelCount struct {
	Level       string `json:"level"`
	Attempted   int    `json:"attempted"`
	Answered    int    `json:"answered"`
	Later       int    `json:"later"`
	Held        int    `json:"held"`
	Refused     int    `json:"refused"`
	Unknown     int    `json:"unknown"`
	Keys        int    `json:"counters"`
	ExactKeys   int    `json:"counters_with_one_right_value"`
	Risked      int64  `json:"sum_at_risk"`
	AllowedLoss int64  `json:"sum_lost_as_allowed"`
	Missing     int64  `json:"sum_missing"`
	Surplus     int64  `json:"sum_surplus"`
}

func (r *report) violate(format string, args ...any) {
	r.Violations = append(r.Violations, fmt.Sprintf(format, args...))
}

// count fills in the calls.
func (r *report) count(calls []history.Call) {
	seen := map[int64]bool{}
	for i := range calls {
		c := &calls[i]
		if c.Kind != history.Add {
			r.Reads++
			if c.Stale {
				r.StaleReads++
			}
			continue
		}
		if seen[c.Op] {
			r.Retries++
		}
		seen[c.Op] = true
		if c.Replayed {
			r.Replays++
		}
		l := &r.Levels[c.Level]
		l.Attempted++
		*[...]*int{&l.Answered, &l.Later, &l.Held, &l.Refused, &l.Unknown}[c.Outcome]++
	}
}

// write prints the report for people.
func (r *report) write(w io.Writer) error {
	var b strings.Builder
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	p("seed %d, %s, %d nodes, lease %s", r.Seed, r.Duration, r.Nodes, r.Lease)
	p("\n%-12s %9s %9s", "fault", "injected", "skipped")
	for _, f := range r.Faults {
		p("%-12s %9d %9d", f.Kind, f.Injected, f.Skipped)
	}
	for _, text := range r.NotInjected {
		p("not injected: %s", text)
	}
	for _, text := range r.Missing {
		p("not offered by this build: %s", text)
	}
	p("\n%-9s %9s %9s %6s %6s %8s %8s %9s %10s %12s %8s %8s", "level", "attempted", "answered", "later", "held", "refused", "unknown",
		"counters", "one value", "allowed loss", "missing", "surplus")
	for _, l := range r.Levels {
		p("%-9s %9d %9d %6d %6d %8d %8d %9d %10d %12d %8d %8d", l.Level, l.Attempted, l.Answered, l.Later, l.Held, l.Refused, l.Unknown,
			l.Keys, l.ExactKeys, l.AllowedLoss, l.Missing, l.Surplus)
	}
	p("\nidempotent: %d retries, %d replays; %d of %d counters have one right value", r.Retries, r.Replays, r.IdempotentExact, r.IdempotentKeys)
	p("reads: %d, of them %d marked stale; %d values of nodes compared with the table at the end", r.Reads, r.StaleReads, r.Compared)
	for v := range r.Linear {
		p("histories %-13v %6d", check.Verdict(v), r.Linear[v])
	}
	p("starts given up for want of a database: %d; leaves with another status than 0: %d; processes with something at risk: %d",
		r.FailedStarts, r.BadLeaves, len(r.Ended))
	p("most memory of a node: %d MiB", r.MaxMemory>>20)
	p("\npinocchio audit, after the load:")
	for _, line := range r.Audit {
		p("  %s", line)
	}
	p("\nviolations: %d", len(r.Violations))
	for _, v := range r.Violations {
		p("  %s", v)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// finish writes the report, and keeps or removes the folder. The world is closed.
func (w *world) finish(r *report) error {
	r.Violations = append(w.mu.violations, r.Violations...)
	for level := range history.Levels {
		r.Levels[level].Level = level.String()
	}
	errs := []error{r.write(w.out)}
	if w.opt.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		errs = append(errs, err, os.WriteFile(w.opt.json, append(text, '\n'), 0o644))
	}
	if len(r.Violations) == 0 && !w.opt.keep {
		return errors.Join(append(errs, os.RemoveAll(w.folder))...)
	}
	f, err := os.Create(filepath.Join(w.folder, reportFile))
	if err == nil {
		err = errors.Join(r.write(f), f.Close())
	}
	_, _ = fmt.Fprintf(w.out, "\nlogs, history and this report are in %s; the same schedule again: SEED=%d\n", w.folder, r.Seed)
	return errors.Join(append(errs, err)...)
}
