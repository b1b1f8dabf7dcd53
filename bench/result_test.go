package bench

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestResult_HasItsUnitsInTheNamesOfItsFields(t *testing.T) {
	o := testOptions(startNode(t, newSums()))
	o.Durability = "memory"
	o.Store = table(func(map[string]int64) error { return nil })
	o.VerifyTimeout = o.ProbeInterval // the table stays empty
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`answered answered_by_target answered_per_second batch connections dial_retries distribution durability
		elapsed_seconds errors failed interrupted key_prefix keys latency_max_us latency_mean_us latency_p50_us latency_p90_us
		latency_p99_9_us latency_p99_us later pipeline rate_per_second refused rejected requests_per_second resent_after_close resent_unwritten return_total
		seed started_at statuses targets unknown unsent value verify`)
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("fields %v", got)
	}
	verify, _ := fields["verify"].(map[string]any)
	want = strings.Fields("drifts expected_high expected_low keys ok seconds store targets")
	if got := slices.Sorted(maps.Keys(verify)); !slices.Equal(got, want) {
		t.Errorf("fields of verify %v", got)
	}
	if r.LatencyP50US <= 0 || r.LatencyP50US > r.LatencyP90US || r.LatencyP90US > r.LatencyP99US ||
		r.LatencyP99US > r.LatencyP999US || r.LatencyP999US > r.LatencyMaxUS {
		t.Errorf("latencies %+v", r)
	}
	if rate := float64(r.Answered) / r.ElapsedSeconds; r.AnsweredPerSecond != rate {
		t.Errorf("rate %v, want %v", r.AnsweredPerSecond, rate)
	}
}

func TestResult_TellsPeopleWhatWentWrong(t *testing.T) {
	r := &Result{
		Targets: []string{"a:1", "b:2"}, Connections: 2, Pipeline: 1, RatePerSecond: 500, Keys: 9, Distribution: Zipf, Value: 4,
		Answered: 10, AnsweredPerSecond: 5, ElapsedSeconds: 2, Later: 3, Failed: 6, Refused: 1, Rejected: 2, Unknown: 3,
		ResentAfterClose: 7, ResentUnwritten: 8, DialRetries: 9, Unsent: 11, Interrupted: true, Errors: []string{"a:1: reset"},
		AnsweredByTarget: map[string]int64{"a:1": 4, "b:2": 6},
		Verify: &Verification{
			Keys: 9, ExpectedLow: 10, ExpectedHigh: 13, Seconds: 1.5,
			Targets: []TargetVerification{{Target: "a:1", Checked: true, Sum: 9, Drifted: 1}, {Target: "b:2", Error: "connection refused"}},
			Store:   &StoreVerification{Sum: 8, Drifted: 2, Error: "no table"},
			Drifts:  []Drift{{Key: "k1", Where: "a:1", Total: 4, Read: true, Low: 5, High: 6, Before: 2}, {Key: "k2", Where: "store"}},
		},
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"open loop at 500 req/s", "10 in 2.00 s: 5 req/s", "a:1 4", "b:2 6", "6 (refused 1, rejected 2, unknown 3)",
		"7 sent again after a close, 8 after an unfinished write, 9 connects retried", "3 of the answered", "unsent", "cut short",
		"a:1: reset", "FAILED: 9 keys, expected sum 10 to 13", "a:1 sum 9, drifted keys 1", "b:2 not checked", "connection refused",
		"store sum 8, drifted keys 2 (no table)", `"k1" at a:1: 4, expected 5 to 6 (2 before the run)`, `"k2" at store: unreadable`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("does not say %q:\n%s", want, out.String())
		}
	}
}
