package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// audit promises rest after the storm (R12): nothing pending, every partition owned and settled, nothing in quarantine.
func (t *trial) audit(ctx context.Context) {
	err := rig.Await(ctx, settleLimit, "rest", func() error { return t.atRest(ctx) })
	t.rep.promise(err == nil, "nothing stays pending, unowned or settling%s", because(err))
	for _, m := range t.live() {
		metrics, err := t.metrics(ctx, m)
		if err != nil {
			t.rep.breaks("metrics of %s: %v", m.Name, err)
			continue
		}
		for _, name := range []string{"pinocchio_flush_conflicts_total", "pinocchio_quarantined_total", "pinocchio_unreported_refusals_total"} {
			if v, ok := metrics[name]; !ok || v != 0 {
				t.rep.breaks("%s of %s is %v (there: %v)", name, m.Name, v, ok)
			}
		}
	}
	t.compareFigures(ctx)
	if sum, err := t.tableSum(); err == nil {
		t.sum = sum
	}
}

// compareFigures promises that what the nodes counted themselves is what the tables have.
func (t *trial) compareFigures(ctx context.Context) {
	var nodes []string
	for _, m := range t.live() {
		nodes = append(nodes, m.HTTP)
	}
	lines, err := rig.Audit(ctx, t.bin, t.pg.URL(database), nodes, settleLimit+t.opt.lease)
	t.rep.promise(err == nil, "pinocchio audit: %s", lines[len(lines)-1])
	if err != nil {
		t.rep.note("      %v", err)
	}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (t *trial) atRest(ctx context.Context) error {
	for _, m := range t.live() {
		s, err := t.status(ctx, m)
		if err != nil {
			return err
		}
		if s.Pending+s.Unowned+s.Settling > 0 {
			return fmt.Errorf("%s: %d operations pending, %d partitions without owner, %d settling", m.Name, s.Pending, s.Unowned, s.Settling)
		}
	}
	return nil
}

// readLogs promises that no node logged an error or panicked, and tells how much they logged.
func (t *trial) readLogs() {
	var lines, size int
	warnings, errors := kinds{}, kinds{}
	for _, m := range t.members {
		text, err := os.ReadFile(m.Log)
		if err != nil {
			t.rep.breaks("log of %s: %v", m.Name, err)
			continue
		}
		size += len(text)
		for line := range strings.Lines(string(text)) {
			lines++
			switch severity(line) {
			case severityBroken:
				errors.add(m, line)
			case severityWarning:
				warnings.add(m, line)
			}
		}
	}
	for _, text := range errors.list() {
		t.rep.breaks("logged %s", text)
	}
	t.rep.note("logs: %d lines, %d bytes, %d kinds of warnings", lines, size, len(warnings))
	for _, text := range warnings.list() {
		t.rep.note("      %s", text)
	}
}

// kinds are log lines by their message.
type kinds map[string]*kind

type kind struct {
	count int
	first string
}

func (k kinds) add(m *member, line string) {
	what := message(line)
	if k[what] == nil {
		k[what] = &kind{first: m.Name + ": " + strings.TrimSpace(line)}
	}
	k[what].count++
}

// list returns how often there was a line of each kind, and the first one.
func (k kinds) list() (texts []string) {
	for _, what := range slices.Sorted(maps.Keys(k)) {
		texts = append(texts, fmt.Sprintf("%d times: %.300s", k[what].count, k[what].first))
	}
	return texts
}

const (
	severityFine = iota
	severityWarning
	severityBroken
)

// severity of a log line. A node logs an error when something is wrong with itself, never for a fault around it.
func severity(line string) int {
	for _, sign := range []string{"level=ERROR", "panic: ", "fatal error: ", "DATA RACE", "pinocchio: "} {
		if strings.Contains(line, sign) {
			return severityBroken
		}
	}
	if strings.Contains(line, "level=WARN") {
		return severityWarning
	}
	return severityFine
}

// message is the msg of a log line, or the line itself.
func message(line string) string {
	_, rest, ok := strings.Cut(line, "msg=")
	if !ok {
		return strings.TrimSpace(line)
	}
	if strings.HasPrefix(rest, `"`) {
		text, _, _ := strings.Cut(rest[1:], `"`)
		return text
	}
	text, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(text)
}
