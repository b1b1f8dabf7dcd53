package check

import (
	"slices"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

// Span of a history, in ns from its begin.
type Span struct{ From, To int64 }

// AroundSteps judges an illegal history of totals again, without the totals that were told within the spans. Stepped: the rest has an
// order, in which every answered increment counts, also those of the spans. Without a call in a span it stays Illegal.
func AroundSteps(calls []history.Call, spans []Span, limit time.Duration) Verdict {
	var rest []history.Call
	touched := false
	for _, c := range calls {
		if slices.ContainsFunc(spans, func(s Span) bool { return c.Start <= s.To && c.End >= s.From }) {
			touched = touched || c.HasValue
			c.HasValue = false
		}
		rest = append(rest, c)
	}
	if !touched {
		return Illegal
	}
	switch verdict := Linear(rest, true, limit); verdict {
	case Linearizable, Flickering:
		return Stepped
	default:
		return verdict
	}
}
