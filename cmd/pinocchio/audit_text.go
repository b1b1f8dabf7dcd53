package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// write prints the comparison for people.
func (a *audit) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "NODE\tPROCESS\tSTATE\tINCREMENTS\tACCEPTED\tPERSISTED\tPENDING\tLOST\tDIFFERENCE\tFINDING")
	for i := range a.Processes {
		a.Processes[i].write(t)
	}
	s := &a.All
	_, _ = fmt.Fprintf(t, "in all\t\tlive\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s.Increments, s.Accepted, s.Persisted, s.Pending, s.Lost, s.Difference(), a.Verdict)
	_, _ = fmt.Fprintf(t, "\n")
	if err := t.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w, "accepted, persisted, pending and lost are operations: several increments of one key may travel as one")
	if a.Vanished > 0 {
		_, _ = fmt.Fprintf(w, "persisted of processes that do not answer any more: %d\n", a.Vanished)
	}
	if s.Refused > 0 {
		_, _ = fmt.Fprintf(w, "increments answered as accepted that would have left the range of a counter, and were not counted: %d\n", s.Refused)
	}
	for _, line := range a.Silent {
		_, _ = fmt.Fprintf(w, "no answer: %s\n", line)
	}
	_, err := fmt.Fprintln(w, a.Values.text())
	return err
}

func (p *auditProcess) write(w io.Writer) {
	what := strings.Join(append([]string{string(p.Finding)}, p.Notes...), ": ")
	if !p.Told {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t?\t?\t%d\t?\t?\t\t%s\n", p.Node, p.ID, p.State, p.Persisted, what)
		return
	}
	_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", p.Node, p.ID, p.State,
		p.Increments, p.Accepted, p.Persisted, p.Pending, p.Lost, p.Difference(), what)
}

// text is the equation of the values.
func (v *auditValues) text() string {
	sign := "="
	if v.Verdict == doesNot {
		sign = "is not"
	}
	return fmt.Sprintf("values: counters %s + quarantine %s %s base %s + retired %s + ledger %s (difference %s): %s",
		v.Counters, v.Quarantine, sign, v.Base, v.Retired, v.Ledger, v.Difference, v.Verdict)
}
