package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/check"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

func compareLives(a, b history.Life) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Nth, b.Nth))
}

// audit compares what the processes counted themselves with the tables.
func (w *world) audit(ctx context.Context, rep *report) {
	w.store.Lock()
	defer w.store.Unlock()
	var nodes []string
	for _, m := range w.members {
		if m.running() != nil {
			nodes = append(nodes, m.HTTP)
		}
	}
	var err error
	if rep.Audit, err = rig.Audit(ctx, w.opt.bin, w.pg.URL(database), nodes, auditLimit); err != nil {
		w.violate("after the faults: %v", err)
	}
}

// judge holds the history against the table and every node.
func (w *world) judge(ctx context.Context, load *workload, rep *report) {
	calls := w.book.Calls()
	rep.count(calls)
	table, err := w.table()
	if err != nil {
		w.violate("the table cannot be read: %v", err)
		return
	}
	w.mu.Lock()
	risks := maps.Clone(w.mu.risks)
	w.mu.Unlock()
	bounds := check.Bounds(calls, risks)
	for _, key := range slices.Sorted(maps.Keys(bounds)) {
		w.judgeKey(key, bounds[key], table[key], rep)
	}
	for key, value := range table {
		if bounds[key] == nil && value != 0 {
			w.violate("%s has %d in the table, and nobody counted it", key, value)
		}
	}
	w.compare(ctx, slices.Sorted(maps.Keys(bounds)), table, rep)
	w.linearize(calls, rep)
}

func (w *world) judgeKey(key string, b *check.Bound, value int64, rep *report) {
	drift, allowed := b.Judge(value)
	l := &rep.Levels[b.Level]
	l.Keys++
	l.AllowedLoss += allowed
	l.Risked += b.Risked
	l.Missing += drift.Missing
	l.Surplus += drift.Surplus
	if b.Exact() {
		l.ExactKeys++
	}
	if b.Idempotent && b.Ops > 0 {
		rep.IdempotentKeys++
		if b.Exact() {
			rep.IdempotentExact++
		}
		if b.Unsettled > 0 {
			w.violate("%s: %d increments under idempotency keys had no answer within %v after the faults", key, b.Unsettled, answerLimit)
		}
	}
	if drift != (check.Drift{}) {
		w.violate("%s has %d in the table, must be between %d and %d (durability %v): missing %d, surplus %d",
			key, value, b.Least, b.Most, b.Level, drift.Missing, drift.Surplus)
	}
}

// compare reads every key at every node.
func (w *world) compare(ctx context.Context, keys []string, table map[string]int64, rep *report) {
	cl := newClient()
	defer cl.close()
	for _, m := range w.members {
		if m.running() == nil {
			continue
		}
		for _, key := range keys {
			if ctx.Err() != nil {
				return
			}
			var answer struct{ Data struct{ Value *int64 } }
			body, err := cl.get(m.HTTP, "/api/v1/increment/"+url.PathEscape(key), 10*time.Second)
			if err == nil {
				err = json.Unmarshal(body, &answer)
			}
			switch {
			case err != nil || answer.Data.Value == nil:
				w.violate("%s cannot be read at %s after the faults: %v", key, m.Name, err)
				return
			case *answer.Data.Value != table[key]:
				w.violate("%s is %d at %s, and %d in the table", key, *answer.Data.Value, m.Name, table[key])
			}
			rep.Compared++
		}
	}
}

// table reads the counters of the load.
func (w *world) table() (map[string]int64, error) {
	w.store.Lock()
	defer w.store.Unlock()
	text, err := w.pg.SQL(database, "select key, value from counters")
	if err != nil {
		return nil, err
	}
	values := map[string]int64{}
	for line := range strings.Lines(text) {
		key, number, _ := strings.Cut(strings.TrimSpace(line), "|")
		if values[key], err = strconv.ParseInt(number, 10, 64); err != nil {
			return nil, fmt.Errorf("row %q: %w", line, err)
		}
	}
	text, err = w.pg.SQL(database, "select count(*) from quarantine")
	if err == nil && text != "0" {
		w.violate("%s deltas are in quarantine", text)
	}
	return values, err
}

// linearize searches an order for the calls of each key of its families.
func (w *world) linearize(calls []history.Call, rep *report) {
	byKey := map[string][]history.Call{}
	for _, c := range calls {
		if family, _, _ := strings.Cut(c.Key, "/"); family == familyStrict || family == familyTotal {
			byKey[c.Key] = append(byKey[c.Key], c)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		dirty := strings.HasPrefix(key, familyTotal+"/")
		verdict := check.Linear(byKey[key], dirty, w.opt.search)
		if dirty && verdict == check.Illegal {
			verdict = check.AroundSteps(byKey[key], w.stepped(), w.opt.search)
		}
		rep.Linear[verdict]++
		switch verdict {
		case check.Illegal:
			w.violate("%s: no order of its %d calls explains the values that were told", key, len(byKey[key]))
		case check.Linearizable:
		default:
			w.event("%s: %v", key, verdict)
		}
	}
}
