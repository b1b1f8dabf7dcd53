package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// pollPause stands between two reads of totals that do not agree yet.
const pollPause = 100 * time.Millisecond

// Verification compares totals with answers. Sums are over all keys and since the start of the run.
type Verification struct {
	OK           bool                 `json:"ok"`
	Keys         int                  `json:"keys"`
	ExpectedLow  int64                `json:"expected_low"`  // the answered increments
	ExpectedHigh int64                `json:"expected_high"` // and those with an unknown outcome; equal when there are none
	Seconds      float64              `json:"seconds"`       // until everything agreed, or patience ended
	Targets      []TargetVerification `json:"targets"`
	Store        *StoreVerification   `json:"store,omitempty"`
	Drifts       []Drift              `json:"drifts"` // the first few keys that differ
}

// TargetVerification is what one target says.
type TargetVerification struct {
	Target  string `json:"target"`
	Checked bool   `json:"checked"` // false: nobody listens there any more, so it has no say
	Sum     int64  `json:"sum"`
	Drifted int    `json:"drifted_keys"` // outside the interval, unreadable, or not what the others say
	Error   string `json:"error,omitempty"`
}

// StoreVerification is what the table says.
type StoreVerification struct {
	Sum     int64  `json:"sum"`
	Drifted int    `json:"drifted_keys"` // not the service's total
	Error   string `json:"error,omitempty"`
}

// Drift is one key's total where it differs. Low and High bound what it should be.
type Drift struct {
	Key    string `json:"key"`
	Where  string `json:"where"` // a target, or "store"
	Total  int64  `json:"total"`
	Read   bool   `json:"read"` // false: there was no total to be read
	Low    int64  `json:"low"`
	High   int64  `json:"high"`
	Before int64  `json:"before"` // the run
}

// verifier holds the totals read through each target: totals[target][key].
type verifier struct {
	*load
	before []int64
	totals [][]reading
	errs   []error // of the latest round, by target
	first  int     // the first target that somebody listens at: the others and the store are compared with it
}

// verify reads through all targets until all totals fit, or VerifyTimeout has passed.
func (l *load) verify(ctx context.Context, before []int64) *Verification {
	begin := time.Now()
	v := &verifier{load: l, before: before, errs: make([]error, len(l.hosts))}
	for range l.hosts {
		v.totals = append(v.totals, make([]reading, len(before)))
	}
	pending := allKeys(len(before))
	for {
		missing := v.readRound(ctx, pending)
		pending = without(allKeys(len(before)), v.agreed)
		if len(pending) == 0 && !missing || time.Since(begin) > l.options.VerifyTimeout || !sleep(ctx, pollPause) {
			break
		}
	}
	r := v.report()
	if l.options.Store != nil {
		r.Store = v.checkStore(ctx, r)
		r.OK = r.OK && r.Store.Drifted == 0 && r.Store.Error == ""
	}
	r.Seconds = time.Since(begin).Seconds()
	return r
}

// readRound reads the keys through each target; all keys where nobody listened so far. It tells whether some target
// still refuses connections: it may be starting again, so it is asked until patience ends.
func (v *verifier) readRound(ctx context.Context, keys []int) (missing bool) {
	var all sync.WaitGroup
	for t := range v.hosts {
		mine := keys
		if gone(v.errs[t]) {
			mine = allKeys(len(v.before))
		}
		all.Go(func() { v.errs[t] = v.readTotals(ctx, t, mine, v.totals[t]) })
	}
	all.Wait()
	v.first = max(slices.IndexFunc(v.errs, func(err error) bool { return !gone(err) }), 0)
	return slices.ContainsFunc(v.errs, gone)
}

// agreed tells that every target that somebody listens at gives a total for the key, the same and within bounds.
func (v *verifier) agreed(key int) bool {
	for t := range v.hosts {
		if !gone(v.errs[t]) && !v.fits(t, key) {
			return false
		}
	}
	return true
}

func (v *verifier) fits(target, key int) bool {
	got, first := v.totals[target][key], v.totals[v.first][key]
	low, high := v.bounds(key)
	return got.ok && got.value >= low && got.value <= high && got.value == first.value
}

// bounds returns the least and the greatest total that the answers allow.
func (v *verifier) bounds(key int) (low, high int64) {
	low, high = v.ledger.interval(key, v.options.Value)
	return v.before[key] + low, v.before[key] + high
}

func (v *verifier) report() *Verification {
	r := &Verification{Keys: len(v.before), OK: !gone(v.errs[v.first])}
	for k := range v.before {
		low, high := v.ledger.interval(k, v.options.Value)
		r.ExpectedLow += low
		r.ExpectedHigh += high
	}
	for t, host := range v.hosts {
		tv := TargetVerification{Target: host, Checked: !gone(v.errs[t])}
		if v.errs[t] != nil {
			tv.Error = v.errs[t].Error()
		}
		for k := range v.before {
			if v.totals[t][k].ok {
				tv.Sum += v.totals[t][k].value - v.before[k]
			}
			if tv.Checked && !v.fits(t, k) {
				tv.Drifted++
				v.addDrift(r, k, host, v.totals[t][k])
			}
		}
		r.OK = r.OK && tv.Drifted == 0
		r.Targets = append(r.Targets, tv)
	}
	return r
}

func (v *verifier) addDrift(r *Verification, key int, where string, got reading) {
	if len(r.Drifts) >= v.options.MaxDrifts {
		return
	}
	low, high := v.bounds(key)
	r.Drifts = append(r.Drifts, Drift{
		Key: v.options.key(key), Where: where, Total: got.value, Read: got.ok, Low: low, High: high, Before: v.before[key],
	})
}

// lines writes the verification for people.
func (r *Verification) lines(line func(name, format string, args ...any)) {
	verdict := "FAILED"
	if r.OK {
		verdict = "ok"
	}
	expected := fmt.Sprint(r.ExpectedLow)
	if r.ExpectedHigh != r.ExpectedLow {
		expected = fmt.Sprintf("%d to %d", r.ExpectedLow, r.ExpectedHigh)
	}
	line("verify", "%s: %d keys, expected sum %s, after %.1f s", verdict, r.Keys, expected, r.Seconds)
	for _, t := range r.Targets {
		text := fmt.Sprintf("%s sum %d, drifted keys %d", t.Target, t.Sum, t.Drifted)
		if !t.Checked {
			text = t.Target + " not checked: nobody listens there"
		}
		line("", "%s", withError(text, t.Error))
	}
	if r.Store != nil {
		line("", "%s", withError(fmt.Sprintf("store sum %d, drifted keys %d", r.Store.Sum, r.Store.Drifted), r.Store.Error))
	}
	for _, d := range r.Drifts {
		got := "unreadable"
		if d.Read {
			got = fmt.Sprint(d.Total)
		}
		line("drift", "%q at %s: %s, expected %d to %d (%d before the run)", d.Key, d.Where, got, d.Low, d.High, d.Before)
	}
}

func withError(text, err string) string {
	if err == "" {
		return text
	}
	return text + " (" + err + ")"
}
