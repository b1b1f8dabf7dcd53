package check

import (
	"testing"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

func TestAroundSteps_ForgivesOnlyTotalsToldWithinASpan(t *testing.T) {
	behind := []history.Call{add(0, 1, 5, 5), add(2, 3, 7, 12), read(4, 5, 5), read(8, 9, 12)}
	for name, c := range map[string]struct {
		calls []history.Call
		spans []Span
		want  Verdict
	}{
		"behind, in the span":                {behind, []Span{{4, 6}}, Stepped},
		"behind, the span only touches it":   {behind, []Span{{5, 6}}, Stepped},
		"behind, elsewhere":                  {behind, []Span{{6, 9}}, Illegal},
		"no step":                            {behind, nil, Illegal},
		"told in the span, lost for ever":    {[]history.Call{add(0, 1, 5, 5), add(2, 3, 7, 12), read(8, 9, 5)}, []Span{{2, 3}}, Illegal},
		"told in the span, counted twice":    {[]history.Call{add(0, 1, 5, 5), add(2, 3, 7, 12), read(8, 9, 19)}, []Span{{2, 3}}, Illegal},
		"without an answer, shown, and gone": {[]history.Call{lost(0, 1, 5), add(2, 3, 7, 7), read(4, 5, 0), read(6, 7, 12), read(8, 9, 7)}, []Span{{4, 5}}, Stepped},
	} {
		if got := AroundSteps(c.calls, c.spans, limit); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
