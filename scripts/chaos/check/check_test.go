package check

import (
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

const limit = 10 * time.Second

var (
	stayed = history.Life{Node: 0, Nth: 1}
	killed = history.Life{Node: 1, Nth: 1}
	gone   = history.Life{Node: 2, Nth: 1} // with its disk
	risks  = Risks{killed: {Safe: 100}, gone: {Safe: 100, Disk: true}}
)

// op is an increment of key "k" that ends at the moment.
func op(n int64, level history.Level, outcome history.Outcome, delta int64, life history.Life, end int64) history.Call {
	return history.Call{
		Kind: history.Add, Level: level, Outcome: outcome, Key: "k", Op: n, Delta: delta, Life: life, Start: end - 10, End: end,
	}
}

func TestBounds_FindLostAndDoubledIncrements(t *testing.T) {
	calls := []history.Call{
		op(1, history.Database, history.Answered, 5, killed, 200),
		op(2, history.Database, history.Answered, 7, stayed, 210),
		op(3, history.Database, history.Unknown, 100, stayed, 220),
		op(4, history.Database, history.Refused, 1000, stayed, 230),
	}
	b := Bounds(calls, risks)["k"]
	for value, want := range map[int64]Drift{
		12: {}, 112: {}, 50: {}, 7: {Missing: 5}, 0: {Missing: 12}, 119: {Surplus: 7}, 1112: {Surplus: 1000},
	} {
		if got, allowed := b.Judge(value); got != want || allowed != 0 {
			t.Errorf("value %d: %+v, allowed %d, want %+v", value, got, allowed, want)
		}
	}
}

func TestBounds_AllowTheLossOnlyOfWhatAKilledNodeMayHaveHeldAlone(t *testing.T) {
	for name, c := range map[string]struct {
		call          history.Call
		least, risked int64
	}{
		"memory, killed, late":        {op(1, history.Memory, history.Answered, 3, killed, 101), 0, 3},
		"memory, killed, known to be": {op(1, history.Memory, history.Answered, 3, killed, 99), 3, 0},
		"memory, not killed":          {op(1, history.Memory, history.Answered, 3, stayed, 101), 3, 0},
		"disk, killed":                {op(1, history.Disk, history.Answered, 3, killed, 101), 3, 0},
		"disk, later, killed":         {op(1, history.Disk, history.Later, 3, killed, 101), 3, 0},
		"replica, killed":             {op(1, history.Replica, history.Answered, 3, killed, 101), 3, 0},
		"held, killed":                {op(1, history.Database, history.Held, 3, killed, 101), 0, 3},
		"held, not killed":            {op(1, history.Database, history.Held, 3, stayed, 101), 3, 0},
		"memory, lost":                {op(1, history.Memory, history.Answered, 3, gone, 101), 0, 3},
		"disk, lost, late":            {op(1, history.Disk, history.Answered, 3, gone, 101), 0, 3},
		"disk, lost, known to be":     {op(1, history.Disk, history.Answered, 3, gone, 100), 3, 0},
		"disk, later, lost":           {op(1, history.Disk, history.Later, 3, gone, 101), 0, 3},
		"replica, lost":               {op(1, history.Replica, history.Answered, 3, gone, 101), 3, 0},
		"replica, later, lost":        {op(1, history.Replica, history.Later, 3, gone, 101), 0, 3},
		"database, lost":              {op(1, history.Database, history.Answered, 3, gone, 101), 3, 0},
		"held, lost":                  {op(1, history.Database, history.Held, 3, gone, 101), 0, 3},
		"unknown":                     {op(1, history.Database, history.Unknown, 3, stayed, 101), 0, 0},
	} {
		b := Bounds([]history.Call{c.call}, risks)["k"]
		if b.Least != c.least || b.Most != 3 || b.Risked != c.risked {
			t.Errorf("%s: %+v, want least %d, risked %d", name, b, c.least, c.risked)
		}
		if _, allowed := b.Judge(0); allowed != c.risked {
			t.Errorf("%s: allowed %d, want %d", name, allowed, c.risked)
		}
	}
}

func TestBounds_CountRetriesUnderOneIdempotencyKeyOnce(t *testing.T) {
	var calls []history.Call
	for i, outcome := range []history.Outcome{history.Unknown, history.Held, history.Refused, history.Answered} {
		c := op(1, history.Database, outcome, -4, killed, int64(200+i))
		c.Idempotent = true
		calls = append(calls, c)
	}
	b := Bounds(calls, risks)["k"]
	if !b.Exact() || b.Least != -4 || !b.Idempotent || b.Unsettled != 0 || b.Ops != 1 {
		t.Fatalf("%+v", b)
	}
	if d, _ := b.Judge(-8); d.Missing != 4 {
		t.Errorf("counted twice: %+v", d)
	}
	if b = Bounds(calls[:3], risks)["k"]; b.Exact() || b.Unsettled != 1 || b.Least != -4 || b.Most != 0 {
		t.Errorf("without an answer: %+v", b)
	}
}

func add(start, end, delta, value int64) history.Call {
	return history.Call{Kind: history.Add, Level: history.Database, Start: start, End: end, Delta: delta, Value: value, HasValue: true}
}

func lost(start, end, delta int64) history.Call {
	return history.Call{Kind: history.Add, Outcome: history.Unknown, Start: start, End: end, Delta: delta}
}

func read(start, end, value int64) history.Call {
	return history.Call{Kind: history.Total, Start: start, End: end, Value: value, HasValue: true}
}

func stale(c history.Call) history.Call {
	c.Stale = true
	return c
}

func TestLinear_JudgesHistories(t *testing.T) {
	for name, c := range map[string]struct {
		calls         []history.Call
		strict, dirty Verdict
	}{
		"in order":                     {[]history.Call{add(0, 1, 5, 5), add(2, 3, 7, 12), read(4, 5, 12)}, Linearizable, Linearizable},
		"concurrent, either order":     {[]history.Call{add(0, 9, 5, 12), add(1, 8, 7, 7), read(10, 11, 12)}, Linearizable, Linearizable},
		"lost increment":               {[]history.Call{add(0, 1, 5, 5), add(2, 3, 7, 12), read(4, 5, 7)}, Illegal, Illegal},
		"doubled increment":            {[]history.Call{add(0, 1, 5, 5), read(2, 3, 10)}, Illegal, Illegal},
		"read too early":               {[]history.Call{read(0, 1, 5), add(2, 3, 5, 5)}, Illegal, Illegal},
		"read went back":               {[]history.Call{add(0, 2, 5, 5), read(3, 4, 5), read(5, 6, 0)}, Illegal, Illegal},
		"read before the answer, gone": {[]history.Call{add(0, 9, 5, 5), read(1, 2, 5), read(3, 4, 0)}, Illegal, Flickering},
		"… and gone behind it":         {[]history.Call{add(0, 9, 5, 5), read(1, 2, 5), read(10, 11, 0)}, Illegal, Illegal},
		"stale read is no read":        {[]history.Call{add(0, 1, 5, 5), stale(read(2, 3, 0))}, Linearizable, Linearizable},
		"unknown counts late":          {[]history.Call{lost(0, 1, 5), read(2, 3, 0), read(4, 5, 5)}, Linearizable, Linearizable},
		"unknown never counts":         {[]history.Call{lost(0, 1, 5), read(2, 3, 0), add(4, 5, 7, 7)}, Linearizable, Linearizable},
		"unknown counts twice":         {[]history.Call{lost(0, 1, 5), read(2, 3, 10)}, Illegal, Illegal},
		"unknown was shown, and went":  {[]history.Call{lost(0, 1, 5), read(2, 3, 5), read(4, 5, 0)}, Illegal, Flickering},
		"… but answered must stay":     {[]history.Call{lost(0, 1, 5), add(1, 2, 7, 12), read(3, 4, 5)}, Illegal, Illegal},
		"unknown shown too early":      {[]history.Call{read(0, 1, 5), lost(2, 3, 5), read(4, 5, 0)}, Illegal, Illegal},
	} {
		if got := Linear(c.calls, false, limit); got != c.strict {
			t.Errorf("%s, strict: %v, want %v", name, got, c.strict)
		}
		if got := Linear(c.calls, true, limit); got != c.dirty {
			t.Errorf("%s, dirty: %v, want %v", name, got, c.dirty)
		}
	}
}

func TestLinear_SaysSoWhenTheSearchIsTooLong(t *testing.T) {
	var calls []history.Call
	for i := range int64(40) { // concurrent, of equal size but one: there is no order, and too many to try them all
		calls = append(calls, add(0, 1000, 1<<i, 1<<41))
	}
	for i := range int64(40) {
		calls = append(calls, lost(0, 1000, 1<<i+1))
	}
	if got := Linear(calls, false, time.Millisecond); got != Inconclusive {
		t.Errorf("%v", got)
	}
}
