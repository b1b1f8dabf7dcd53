package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
)

// WriteChart writes the latencies of all responses by percentile. It is for a result of Run: one that was read from JSON has
// no more than the percentiles that stand in it.
func (r *Result) WriteChart(w io.Writer, f chart.Format) error {
	var n int64
	if r.latency != nil {
		n = r.latency.TotalCount()
	}
	title := fmt.Sprintf("Latency of %d requests by percentile\n%s, %d connections, pipeline %d; %.0f req/s",
		n, r.loop(), r.Connections, r.Pipeline, r.RequestsPerSecond)
	c, err := chart.Latency(title, n, func(percent float64) time.Duration { return time.Duration(r.latency.ValueAtPercentile(percent)) })
	if err != nil {
		return err
	}
	return c.Write(w, f)
}
