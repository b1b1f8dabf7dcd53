package bench

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// drifted runs against n and wants the verification to fail.
func drifted(t *testing.T, o Options) *Verification {
	t.Helper()
	o.VerifyTimeout = 200 * time.Millisecond
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verify.OK {
		t.Fatalf("verified: %+v", r.Verify)
	}
	return r.Verify
}

func TestVerify_FindsTheKeyThatWasCountedTwiceOrNotAtAll(t *testing.T) {
	for name, error := range map[string]int64{"twice": 1, "not at all": -1} {
		t.Run(name, func(t *testing.T) {
			s := newSums()
			n := newNode(t, s)
			n.after = func(_ *fasthttp.RequestCtx, number int64) {
				if number == 1000 {
					s.add("bench:7", error)
				}
			}
			n.start()
			defer n.stop()
			v := drifted(t, testOptions(n))
			if len(v.Drifts) != 1 || v.Drifts[0].Key != "bench:7" || v.Drifts[0].Where != n.addr || v.Drifts[0].Total != v.Drifts[0].Low+error {
				t.Errorf("drifts %+v", v.Drifts)
			}
			if v.Targets[0].Sum != v.ExpectedLow+error || v.Targets[0].Drifted != 1 {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestVerify_FindsTheTargetThatSaysSomethingElse(t *testing.T) {
	s := newSums()
	liar := newNode(t, s)
	liar.read = func(ctx *fasthttp.RequestCtx, key string, total int64) bool {
		if key == "bench:3" && total > 0 {
			total--
		}
		liar.writeTotal(ctx, total)
		return true
	}
	liar.start()
	defer liar.stop()
	v := drifted(t, testOptions(startNode(t, s), liar))
	if v.Targets[0].Drifted != 0 || v.Targets[1].Drifted != 1 || v.Targets[1].Sum != v.ExpectedLow-1 {
		t.Errorf("%+v", v.Targets)
	}
}

func TestVerify_WantsTargetsToAgreeAlsoWhereTheOutcomeIsUnknown(t *testing.T) {
	s := newSums()
	n := newNode(t, s)
	n.after = func(ctx *fasthttp.RequestCtx, _ int64) { ctx.SetStatusCode(504) }
	n.start()
	defer n.stop()
	behind := newNode(t, s)
	behind.read = func(ctx *fasthttp.RequestCtx, _ string, _ int64) bool { behind.writeTotal(ctx, 0); return true }
	behind.after = n.after
	behind.start()
	defer behind.stop()
	if v := drifted(t, testOptions(n, behind)); v.ExpectedLow != 0 || v.ExpectedHigh != 2000 || v.Targets[1].Drifted == 0 {
		t.Errorf("%+v", v)
	}
}

func TestVerify_WaitsForTotalsThatComeLater(t *testing.T) {
	s := newSums()
	n := newNode(t, s)
	var reads atomic.Int64
	n.read = func(ctx *fasthttp.RequestCtx, _ string, total int64) bool {
		switch m := reads.Add(1); {
		case m <= 50: // before the run
			return false
		case m <= 80:
			ctx.SetStatusCode(503)
		case m <= 120:
			n.writeTotal(ctx, total-1)
		case m <= 130:
			ctx.SetConnectionClose()
			return false
		default:
			return false
		}
		return true
	}
	n.start()
	defer n.stop()
	mustRun(t, testOptions(n))
}

func TestVerify_LeavesOutATargetThatNobodyListensAt(t *testing.T) {
	s := newSums()
	stays, leaves := startNode(t, s), startNode(t, s)
	o := testOptions(stays, leaves)
	o.Requests, o.VerifyTimeout = 1_000_000_000, 300*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var left sync.WaitGroup
	left.Go(func() {
		eventually(t, "load", func() bool { return leaves.requests.Load() > 100 })
		leaves.drain()
		cancel()
	})
	r, err := Run(ctx, o)
	left.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 0 || !r.Verify.OK || !r.Verify.Targets[0].Checked || r.Verify.Targets[1].Checked {
		t.Errorf("failed %d %q, %+v", r.Failed, r.Errors, r.Verify)
	}
}

func TestVerify_FailsWhenNobodyIsLeftToSayAnything(t *testing.T) {
	n := startNode(t, newSums())
	o := testOptions(n)
	o.VerifyTimeout = 50 * time.Millisecond
	l := newLoad(o)
	n.stop()
	v := l.verify(t.Context(), make([]int64, o.Keys))
	if v.OK || v.Targets[0].Checked || v.Targets[0].Error == "" {
		t.Errorf("%+v", v)
	}
}

func TestVerify_RefusesToStartWithoutTotals(t *testing.T) {
	for want, answer := range map[string]func(*fasthttp.RequestCtx){
		"no data.value": func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(`{"data":{}}`) },
		"status 203": func(ctx *fasthttp.RequestCtx) {
			ctx.SetStatusCode(203)
			ctx.SetBodyString(`{"data":{"value":0}}`)
		},
	} {
		n := newNode(t, newSums())
		n.read = func(ctx *fasthttp.RequestCtx, _ string, _ int64) bool { answer(ctx); return true }
		n.start()
		o := testOptions(n)
		o.VerifyTimeout = 50 * time.Millisecond
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		n.stop()
	}
}

func TestReadTotals_GoesOnWhereAnAnswerClosedTheConnection(t *testing.T) {
	s := newSums()
	n := newNode(t, s)
	n.read = func(ctx *fasthttp.RequestCtx, _ string, _ int64) bool { ctx.SetConnectionClose(); return false }
	n.start()
	defer n.stop()
	o := testOptions(n)
	s.add(o.key(49), 7)
	into := make([]reading, o.Keys)
	if err := newLoad(o).readTotals(t.Context(), 0, allKeys(o.Keys), into); err != nil {
		t.Fatal(err)
	}
	for k, got := range into {
		if !got.ok || (got.value == 7) != (k == 49) {
			t.Errorf("key %d: %+v", k, got)
		}
	}
}

// table is a store that shows a node's sums.
type table func(values map[string]int64) error

func (f table) Values(_ context.Context, keys []string) (map[string]int64, error) {
	values := map[string]int64{}
	for _, k := range keys {
		values[k] = 0
	}
	return values, f(values)
}

func TestVerify_ComparesTheStoreOnceItHasCaughtUp(t *testing.T) {
	s := newSums()
	o := testOptions(startNode(t, s))
	s.add("bench:1", 5)
	looks := 0
	o.Store = table(func(values map[string]int64) error {
		if looks++; looks == 1 {
			return errors.New("the connection is gone")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		maps.Copy(values, s.values)
		if looks == 2 {
			values["bench:1"]-- // not flushed yet
		}
		return nil
	})
	r := mustRun(t, o)
	if looks != 3 || r.Verify.Store.Sum != o.Requests || r.Verify.Store.Drifted != 0 || r.Verify.Store.Error != "" {
		t.Errorf("%d looks, %+v", looks, r.Verify.Store)
	}
}

func TestVerify_FailsWhenTheStoreSaysSomethingElse(t *testing.T) {
	s := newSums()
	o := testOptions(startNode(t, s))
	o.Store = table(func(values map[string]int64) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		maps.Copy(values, s.values)
		values["bench:9"] += 2
		return nil
	})
	v := drifted(t, o)
	if v.Store.Drifted != 1 || v.Store.Sum != v.ExpectedLow+2 || len(v.Drifts) != 1 || v.Drifts[0].Where != "store" {
		t.Errorf("%+v, store %+v", v, v.Store)
	}
}

func TestVerify_FailsWhenTheStoreCannotBeRead(t *testing.T) {
	o := testOptions(startNode(t, newSums()))
	o.Store = table(func(map[string]int64) error { return errors.New("no such table") })
	if v := drifted(t, o); !strings.Contains(v.Store.Error, "no such table") {
		t.Errorf("%+v", v.Store)
	}
}
