package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestRun_MeasuresFromTheIntendedStartInTheOpenLoop(t *testing.T) {
	const stall = 400 * time.Millisecond
	measure := func(rate float64) *Result {
		n := newNode(t, newSums())
		n.before = func(_ *fasthttp.RequestCtx, number int64) bool {
			if number == 100 {
				pause(stall)
			}
			return false
		}
		n.start()
		defer n.stop()
		o := testOptions(n)
		o.Connections, o.Requests, o.Rate, o.Pipeline = 1, 1000, rate, 100
		if rate == 0 {
			o.Pipeline = 1
		}
		r := mustRun(t, o)
		if r.Answered != 1000 || r.Unsent != 0 {
			t.Errorf("answered %d, unsent %d", r.Answered, r.Unsent)
		}
		return r
	}
	// 400 requests become due during the stall. The closed loop sees one slow request in a thousand.
	if open := measure(1000); open.LatencyP90US < 200_000 || open.ElapsedSeconds < 0.95 {
		t.Errorf("open loop: p90 %.0f µs in %.2f s", open.LatencyP90US, open.ElapsedSeconds)
	}
	if closed := measure(0); closed.LatencyP90US > 200_000 || closed.LatencyMaxUS < 400_000 {
		t.Errorf("closed loop: p90 %.0f µs, max %.0f µs", closed.LatencyP90US, closed.LatencyMaxUS)
	}
}

func TestRun_ReportsWhatWasDueAndNotSentWhenTheServerIsTooSlow(t *testing.T) {
	n := newNode(t, newSums())
	n.before = func(*fasthttp.RequestCtx, int64) bool { pause(20 * time.Millisecond); return false }
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Connections, o.Requests, o.Duration, o.Rate = 1, 0, 300*time.Millisecond, 1000
	r := mustRun(t, o)
	if r.Answered+r.Unsent != 300 || r.Unsent < 200 {
		t.Errorf("answered %d, unsent %d", r.Answered, r.Unsent)
	}
}

func TestRun_StillReportsAndVerifiesWhenItIsCutShort(t *testing.T) {
	s := newSums()
	n := newNode(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	n.after = func(_ *fasthttp.RequestCtx, number int64) {
		if number == 500 {
			cancel()
		}
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Requests = 1_000_000_000
	r, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || !r.Verify.OK || r.Failed != 0 || r.Answered < 500 || r.Answered+r.Unsent != o.Requests {
		t.Errorf("%+v", r)
	}
}

func TestRun_EndsAfterItsDuration(t *testing.T) {
	o := testOptions(startNode(t, newSums()))
	o.Requests, o.Duration = 0, 150*time.Millisecond
	r := mustRun(t, o)
	if r.Interrupted || r.ElapsedSeconds < 0.15 || r.Unsent != 0 || r.Answered == 0 {
		t.Errorf("%+v", r)
	}
}

func TestRun_DrawsAProgressLineEachInterval(t *testing.T) {
	o := testOptions(startNode(t, newSums()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &lines{enough: 3, stop: cancel}
	o.Progress, o.ProgressInterval, o.Requests = out, 20*time.Millisecond, 1_000_000_000
	if _, err := Run(ctx, o); err != nil {
		t.Fatal(err)
	}
	if len(out.text) < 3 {
		t.Fatalf("lines %q", out.text)
	}
	for _, want := range []string{"req/s", "p99", "answered", "failed 0", "ready 1/1"} {
		if !strings.Contains(out.text[2], want) {
			t.Errorf("does not say %q: %s", want, out.text[2])
		}
	}
}

// lines keeps what is written, and calls stop when it has enough.
type lines struct {
	text   []string
	enough int
	stop   func()
}

func (l *lines) Write(p []byte) (int, error) {
	if l.text = append(l.text, string(p)); len(l.text) == l.enough {
		l.stop()
	}
	return len(p), nil
}
