package strategies

import (
	"io"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
)

// WriteChart writes a bar chart of the rates on a logarithmic scale, the whiskers one standard deviation long to each side.
func (r *Report) WriteChart(w io.Writer, f chart.Format) error {
	bars := make([]chart.Bar, len(r.Results))
	for i, s := range r.Results {
		bars[i] = chart.Bar{Name: s.Name, Rate: s.Rate, Deviation: s.RateDeviation, Figure: count(s.Rate) + " ±" + count(s.RateDeviation)}
	}
	c, err := chart.Bars("Increments a second of each strategy\n"+r.conditions(), "increments a second, logarithmic", bars)
	if err != nil {
		return err
	}
	return c.Write(w, f)
}
