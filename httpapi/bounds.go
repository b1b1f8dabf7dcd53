package httpapi

import (
	"math"

	"github.com/pinocchio-nose/pinocchio/node"
)

// Words of "overflow".
const (
	overflowReject   = "reject"
	overflowSaturate = "saturate"
)

// given tells whether the field is there; null counts as not given.
func (f field) given() bool { return f.kind != kindAbsent && f.kind != kindNull }

// bounded tells whether the increment has bounds, good or bad.
func (f *fields) bounded() bool { return f.min.given() || f.max.given() || f.overflow.given() }

// boundFields names the bounds that are given.
func (f *fields) boundFields() (names []string) {
	for _, bound := range []struct {
		name string
		field
	}{{"min", f.min}, {"max", f.max}, {"overflow", f.overflow}} {
		if bound.given() {
			names = append(names, bound.name)
		}
	}
	return names
}

// bounds returns the increment's bounds without its value; false: they are not as they must be, and boundFaults says why.
func (f *fields) bounds() (c node.Command, ok bool) {
	c.Min, c.Max = math.MinInt64, math.MaxInt64
	if !f.bounded() {
		return c, true
	}
	low, lowOK := f.min.integer()
	high, highOK := f.max.integer()
	if f.min.given() {
		c.Min = low
	}
	if f.max.given() {
		c.Max = high
	}
	c.Saturate = string(f.overflow.text) == overflowSaturate
	limited := f.min.given() || f.max.given()
	return c, limited && (lowOK || !f.min.given()) && (highOK || !f.max.given()) && f.overflow.isOverflow() && c.Min <= c.Max
}

// isOverflow tells whether the field can be "overflow".
func (f field) isOverflow() bool {
	return !f.given() || f.kind == kindString && (string(f.text) == overflowReject || string(f.text) == overflowSaturate)
}

// boundFaults says what is wrong with the bounds.
func (f *fields) boundFaults() (problems []problem) {
	c, ok := f.bounds()
	if ok {
		return nil
	}
	if _, good := f.min.integer(); f.min.given() && !good {
		problems = append(problems, problem{"min", textInvalid})
	}
	if _, good := f.max.integer(); f.max.given() && !good {
		problems = append(problems, problem{"max", textInvalid})
	}
	if len(problems) == 0 && c.Min > c.Max {
		problems = append(problems, problem{"min", "must not be above max"})
	}
	switch {
	case !f.overflow.isOverflow():
		problems = append(problems, problem{"overflow", `must be "reject" or "saturate"`})
	case !f.min.given() && !f.max.given():
		problems = append(problems, problem{"overflow", "needs min or max"})
	}
	return problems
}
