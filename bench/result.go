package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Result of a run. Increments are counted by what the package comment calls their fate; without Batch, each is a request.
type Result struct {
	StartedAt      time.Time    `json:"started_at"`
	ElapsedSeconds float64      `json:"elapsed_seconds"` // from the first request to the last response
	Interrupted    bool         `json:"interrupted"`     // cut short from outside
	Targets        []string     `json:"targets"`
	Connections    int          `json:"connections"`
	Pipeline       int          `json:"pipeline"`
	Batch          int          `json:"batch"`           // increments in each request
	RatePerSecond  float64      `json:"rate_per_second"` // of the open loop; 0: closed loop
	Keys           int          `json:"keys"`
	KeyPrefix      string       `json:"key_prefix"`
	Distribution   Distribution `json:"distribution"`
	Seed           uint64       `json:"seed"`
	Value          int64        `json:"value"`
	Durability     string       `json:"durability,omitempty"`
	ReturnTotal    bool         `json:"return_total"`

	Answered          int64   `json:"answered"`
	AnsweredPerSecond float64 `json:"answered_per_second"`
	RequestsPerSecond float64 `json:"requests_per_second"` // responses, whatever they said
	Later             int64   `json:"later"`               // of the answered ones
	Failed            int64   `json:"failed"`              // refused + rejected + unknown
	Refused           int64   `json:"refused"`
	Rejected          int64   `json:"rejected"`
	Unknown           int64   `json:"unknown"`
	ResentAfterClose  int64   `json:"resent_after_close"` // requests, as the next three: stood behind an answer with Connection: close
	ResentUnwritten   int64   `json:"resent_unwritten"`   // were not written to the last byte when the connection broke
	DialRetries       int64   `json:"dial_retries"`       // connections that could not be made
	Unsent            int64   `json:"unsent"`             // asked for, not executed when the run ended

	Statuses         map[string]int64 `json:"statuses"` // increments by the status of their answers
	AnsweredByTarget map[string]int64 `json:"answered_by_target"`
	Errors           []string         `json:"errors"` // the first few different ones

	LatencyMeanUS float64 `json:"latency_mean_us"`
	LatencyP50US  float64 `json:"latency_p50_us"`
	LatencyP90US  float64 `json:"latency_p90_us"`
	LatencyP99US  float64 `json:"latency_p99_us"`
	LatencyP999US float64 `json:"latency_p99_9_us"`
	LatencyMaxUS  float64 `json:"latency_max_us"`

	Verify *Verification `json:"verify,omitempty"`

	latency *hdr.Histogram // all of them, for WriteChart
}

func (l *load) result(c *collector, begin, end time.Time) *Result {
	o, n := l.options, &c.counts
	r := &Result{
		StartedAt: begin.UTC(), ElapsedSeconds: end.Sub(begin).Seconds(),
		Targets: l.hosts, Connections: o.Connections, Pipeline: o.Pipeline, Batch: o.Batch, RatePerSecond: o.Rate,
		Keys: o.Keys, KeyPrefix: o.KeyPrefix, Distribution: o.Distribution, Seed: o.Seed,
		Value: o.Value, Durability: o.Durability, ReturnTotal: o.ReturnTotal,

		Answered: n.answered, AnsweredPerSecond: float64(n.answered) / end.Sub(begin).Seconds(), Later: n.later,
		RequestsPerSecond: float64(n.responses) / end.Sub(begin).Seconds(),
		Failed:            n.failed(), Refused: n.refused, Rejected: n.rejected, Unknown: n.unknown,
		ResentAfterClose: n.resentAfterClose, ResentUnwritten: n.resentUnwritten, DialRetries: n.dialRetries,
		Statuses: map[string]int64{}, AnsweredByTarget: map[string]int64{},
		Errors: l.complaints.list(),

		LatencyMeanUS: microseconds(int64(c.total.Mean())),
		LatencyP50US:  microseconds(c.total.ValueAtPercentile(50)),
		LatencyP90US:  microseconds(c.total.ValueAtPercentile(90)),
		LatencyP99US:  microseconds(c.total.ValueAtPercentile(99)),
		LatencyP999US: microseconds(c.total.ValueAtPercentile(99.9)),
		LatencyMaxUS:  microseconds(c.total.Max()),
		latency:       c.total,
	}
	for status, count := range n.statuses {
		if count > 0 {
			r.Statuses[fmt.Sprint(status)] = count
		}
	}
	for i, host := range l.hosts {
		r.AnsweredByTarget[host] += c.byTarget[i]
	}
	return r
}

// Forbidden tells that access control let nothing through: each response was 401 or 403.
func (r *Result) Forbidden() bool {
	for status := range r.Statuses {
		if status != "401" && status != "403" {
			return false
		}
	}
	return len(r.Statuses) > 0
}

// loop says how the load was paced.
func (r *Result) loop() string {
	if r.RatePerSecond > 0 {
		return fmt.Sprintf("open loop at %g req/s", r.RatePerSecond)
	}
	return "closed loop"
}

// WriteText writes the result for people.
func (r *Result) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) // Flush returns the error
	}
	batch, rate := "", fmt.Sprintf("%.0f req/s", r.AnsweredPerSecond)
	if r.Batch > 1 {
		batch = fmt.Sprintf("%d increments a request, ", r.Batch)
		rate = fmt.Sprintf("%.0f increments/s, %.0f req/s", r.AnsweredPerSecond, r.RequestsPerSecond)
	}
	line("load", "%s, %d connections, pipeline %d, %s%d keys %s, value %d", r.loop(), r.Connections, r.Pipeline, batch, r.Keys, r.Distribution, r.Value)
	line("answered", "%d in %.2f s: %s", r.Answered, r.ElapsedSeconds, rate)
	for _, host := range r.Targets {
		line("", "%s %d", host, r.AnsweredByTarget[host])
	}
	line("latency", "µs: mean %.1f, p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f",
		r.LatencyMeanUS, r.LatencyP50US, r.LatencyP90US, r.LatencyP99US, r.LatencyP999US, r.LatencyMaxUS)
	line("failed", "%d (refused %d, rejected %d, unknown %d)", r.Failed, r.Refused, r.Rejected, r.Unknown)
	line("moved", "%d sent again after a close, %d after an unfinished write, %d connects retried", r.ResentAfterClose, r.ResentUnwritten, r.DialRetries)
	if r.Later > 0 {
		line("later", "%d of the answered ones were counted after the answer", r.Later)
	}
	if r.Unsent > 0 {
		line("unsent", "%d", r.Unsent)
	}
	if r.Interrupted {
		line("interrupted", "the load was cut short")
	}
	for _, text := range r.Errors {
		line("error", "%s", strings.TrimSpace(text))
	}
	if r.Verify != nil {
		r.Verify.lines(line)
	}
	return w.Flush()
}
