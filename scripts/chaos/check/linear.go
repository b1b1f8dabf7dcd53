package check

import (
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

// Verdict on one key's history.
type Verdict uint8

// Verdicts.
const (
	Linearizable Verdict = iota
	// Flickering: linearizable for all that was answered; reads showed increments that nobody had been answered, and later did not.
	// Nothing promises that those stay.
	Flickering
	// Stepped: linearizable but for totals that were told around a step of the clock that leases are kept by.
	Stepped
	Inconclusive // the search took too long
	Illegal
)

func (v Verdict) String() string {
	return [...]string{"linearizable", "flickering", "stepped", "inconclusive", "illegal"}[v]
}

// Linear searches for an order of one key's calls in which each value is the sum of what came before, and which never puts a call
// before one that had ended when it began. Increments were asked for at level database. With dirty, totals may show increments
// before they are in the table, so those without an answer may come and go; else they may not. Each search has the limit.
func Linear(calls []history.Call, dirty bool, limit time.Duration) Verdict {
	operations := operationsOf(calls)
	switch porcupine.CheckOperationsTimeout(sum(), operations, limit) {
	case porcupine.Ok:
		return Linearizable
	case porcupine.Unknown:
		return Inconclusive
	}
	if !dirty {
		return Illegal
	}
	return flicker(calls, limit)
}

// input of an operation.
type input struct {
	read  bool
	delta int64
	// shown: the values of the answered increments that the operation's value allows. nil: exactly the operation's value.
	shown map[int64]struct{}
}

// output of an operation.
type output struct {
	known bool
	value int64
}

// sum is a counter: its state is the sum of what was added.
func sum() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return int64(0) },
		Step: func(state, in, out any) (bool, any) {
			i, o := in.(input), out.(output)
			next := state.(int64) + i.delta
			return i.allows(next, o), next
		},
	}
}

func (i input) allows(value int64, o output) bool {
	if !o.known {
		return true
	}
	if i.shown == nil {
		return value == o.value
	}
	_, ok := i.shown[value]
	return ok
}

// operationsOf leaves out what tells nothing: refusals, failed and stale reads. An increment of unknown outcome never
// returns, nor does one that counts at a moment that nobody knows.
func operationsOf(calls []history.Call) []porcupine.Operation {
	var operations []porcupine.Operation
	for i := range calls {
		c := &calls[i]
		if c.Outcome == history.Refused || c.Kind != history.Add && (!c.HasValue || c.Stale) {
			continue
		}
		op := porcupine.Operation{
			Input:  input{read: c.Kind != history.Add, delta: c.Delta},
			Output: output{known: c.HasValue, value: c.Value},
			Call:   c.Start, Return: c.End,
		}
		if unresolved(c) {
			op.Output, op.Return = output{}, math.MaxInt64
		}
		operations = append(operations, op)
	}
	return operations
}

// unresolved says that the increment had no answer that promises anything to later reads.
func unresolved(c *history.Call) bool {
	return c.Kind == history.Add && c.Outcome != history.Answered && c.Outcome != history.Refused
}

// mostUnresolved bounds the number of sets of unanswered increments that a value is compared with.
const mostUnresolved = 12

// flicker searches an order of the answered calls alone. A value may contain, beside them, any set of those unanswered
// increments that had begun when the value was told; one that was read, also of those that were answered only later.
func flicker(calls []history.Call, limit time.Duration) Verdict {
	var open []history.Call
	for _, c := range calls {
		if unresolved(&c) {
			open = append(open, c)
		}
	}
	if len(open) > mostUnresolved {
		return Inconclusive
	}
	var operations []porcupine.Operation
	for _, op := range operationsOf(calls) {
		in, out := op.Input.(input), op.Output.(output)
		if op.Return == math.MaxInt64 {
			continue
		}
		if out.known {
			shown := open
			if in.read {
				shown = append(slices.Clone(open), underWay(calls, op.Return)...)
			}
			if len(shown) > mostUnresolved {
				return Inconclusive
			}
			in.shown = basesOf(out.value, shown, op.Return)
		}
		op.Input = in
		operations = append(operations, op)
	}
	switch porcupine.CheckOperationsTimeout(sum(), operations, limit) {
	case porcupine.Ok:
		return Flickering
	case porcupine.Unknown:
		return Inconclusive
	}
	return Illegal
}

// underWay returns the increments that had begun at that moment and were answered later: whoever read them was promised nothing of
// them yet, so that they may have gone again until their answer, as an unanswered one may for good.
func underWay(calls []history.Call, at int64) (out []history.Call) {
	for _, c := range calls {
		if c.Kind == history.Add && c.Outcome == history.Answered && c.Start <= at && c.End > at {
			out = append(out, c)
		}
	}
	return out
}

// basesOf returns what the answered increments may sum up to, for a value told at that moment.
func basesOf(value int64, open []history.Call, told int64) map[int64]struct{} {
	bases := []int64{value}
	for i := range open {
		if open[i].Start > told {
			continue
		}
		for _, b := range bases {
			bases = append(bases, b-open[i].Delta)
		}
	}
	set := make(map[int64]struct{}, len(bases))
	for _, b := range bases {
		set[b] = struct{}{}
	}
	return set
}
