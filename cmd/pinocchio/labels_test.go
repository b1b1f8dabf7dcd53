package main

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
)

// hasLabel tells whether the page has a series of a name with the label, and with value unless that is "".
func hasLabel(page, name, label, value string) bool {
	text := `"[^"]*"`
	if value != "" {
		text = regexp.QuoteMeta(`"` + value + `"`)
	}
	series := fmt.Sprintf(`(?m)^%s\{(?:[^}\n]*,)?%s=%s[,}]`, regexp.QuoteMeta(name), regexp.QuoteMeta(label), text)
	return regexp.MustCompile(series).MatchString(page)
}

// strangeLabels parses an expression and returns the filters that no series of the page passes. Of a filter that is no plain
// equality, only the label must be there.
func strangeLabels(expr, page string) (strange []string, err error) {
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		return nil, err
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		m, ok := e.(*metricsql.MetricExpr)
		if !ok {
			return
		}
		for _, filters := range m.LabelFilterss {
			name := ""
			for _, f := range filters {
				if f.Label == "__name__" {
					name = f.Value
				}
			}
			for _, f := range filters {
				value := f.Value
				if f.IsNegative || f.IsRegexp {
					value = ""
				}
				known := f.Label == "__name__" || f.Label == "job" || f.Label == "instance" // the last two are Prometheus' own
				if !known && !hasLabel(page, name, f.Label, value) {
					strange = append(strange, fmt.Sprintf("%s{%s=%q}", name, f.Label, f.Value))
				}
			}
		}
	})
	return strange, nil
}

// Red when an alert or a panel asks for a label, or a value of one, that the metric does not have: it would never fire.
func TestDeploy_EveryLabelIsOneThatTheMetricHas(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--rate-limit", "9/s")
	increment(t, base, "k")
	_, page := call(t, http.MethodGet, base+"/metrics", "")
	for _, expr := range expressions(t) {
		if strange, err := strangeLabels(expr, page); err != nil || len(strange) > 0 {
			t.Errorf("%s: no node has %v (%v)", expr, strange, err)
		}
	}
	for expr, want := range map[string]int{
		`pinocchio_increments_total{result="accepted"}`:             0,
		`pinocchio_increments_total{result="welcome"}`:              1,
		`pinocchio_increments_total{outcome="accepted"}`:            1,
		`pinocchio_increments_total{result!="accepted"}`:            0,
		`pinocchio_members{state="alive",kind="x"}`:                 1,
		`sum(rate(pinocchio_increments_total{results=~"a.*"}[1m]))`: 1,
	} {
		if strange, err := strangeLabels(expr, page); err != nil || len(strange) != want {
			t.Errorf("%s: %v (%v), want %d", expr, strange, err, want)
		}
	}
}
