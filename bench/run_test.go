package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestRun_CountsExactlyWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		distribution Distribution
		pipeline     int
	}{{Uniform, 1}, {Zipf, 16}, {Single, 7}} {
		t.Run(fmt.Sprintf("%s pipeline %d", c.distribution, c.pipeline), func(t *testing.T) {
			s := newSums()
			o := testOptions(startNode(t, s), startNode(t, s), startNode(t, s))
			o.Distribution, o.Pipeline, o.Value = c.distribution, c.pipeline, -3
			o.Requests = 5003
			r := mustRun(t, o)
			if r.Answered != 5003 || r.Failed != 0 || r.Unsent != 0 || s.total() != -3*5003 {
				t.Errorf("answered %d, failed %d, unsent %d, counted %d", r.Answered, r.Failed, r.Unsent, s.total())
			}
			if r.Statuses["202"] != 5003 || len(r.Statuses) != 1 {
				t.Errorf("statuses %v", r.Statuses)
			}
			for host, n := range r.AnsweredByTarget {
				if n == 0 {
					t.Errorf("%s got no load", host)
				}
			}
			if r.Verify.ExpectedLow != -3*5003 || r.Verify.ExpectedHigh != -3*5003 {
				t.Errorf("expected sum %d to %d", r.Verify.ExpectedLow, r.Verify.ExpectedHigh)
			}
		})
	}
}

func TestRun_VerifiesOnTopOfEarlierTotalsAndWithOddKeys(t *testing.T) {
	s := newSums()
	o := testOptions(startNode(t, s))
	o.KeyPrefix = `a/b "ключ" %2F?#`
	s.add(o.key(3), 1000)
	r := mustRun(t, o)
	if got := s.total(); got != 1000+2000 || r.Verify.ExpectedLow != 2000 {
		t.Errorf("counted %d, expected %d", got, r.Verify.ExpectedLow)
	}
}

func TestRun_WritesABatchBeforeItReads(t *testing.T) {
	const pipeline = 8
	addr := serveRaw(t, func(c net.Conn, br *bufio.Reader) {
		for {
			// No answer before the whole batch is here: who waits for one before writing on waits for ever.
			for range pipeline {
				var req fasthttp.Request
				if err := req.Read(br); err != nil {
					return
				}
			}
			_, _ = io.WriteString(c, strings.Repeat("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", pipeline))
		}
	})
	o := testOptions()
	o.Targets, o.Pipeline, o.Verify = []string{addr}, pipeline, false
	if r := mustRun(t, o); r.Answered != o.Requests || r.Failed != 0 {
		t.Errorf("answered %d, failed %d %q", r.Answered, r.Failed, r.Errors)
	}
}

func TestRun_SendsAgainWhatStoodBehindAClose(t *testing.T) {
	s := newSums()
	n := newNode(t, s)
	n.after = func(ctx *fasthttp.RequestCtx, number int64) {
		if number%10 == 0 {
			ctx.SetConnectionClose() // what is pipelined behind it is never executed
		}
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Pipeline = 16
	r := mustRun(t, o)
	if r.Answered != o.Requests || r.Failed != 0 || s.total() != o.Requests {
		t.Errorf("answered %d, failed %d %v, counted %d", r.Answered, r.Failed, r.Errors, s.total())
	}
	if r.ResentAfterClose == 0 {
		t.Error("nothing was sent again: the test does not test")
	}
}

func TestRun_WidensTheExpectationWhenAConnectionBreaks(t *testing.T) {
	cut := func(ctx *fasthttp.RequestCtx) { _ = ctx.Conn().Close() }
	for name, faulty := range map[string]func(*node){
		"counted, answer lost": func(n *node) {
			n.after = func(ctx *fasthttp.RequestCtx, number int64) {
				if number%100 == 0 {
					cut(ctx)
				}
			}
		},
		"not counted": func(n *node) {
			n.before = func(ctx *fasthttp.RequestCtx, number int64) bool {
				if number%100 == 0 {
					cut(ctx)
					return true
				}
				return false
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSums()
			n := newNode(t, s)
			faulty(n)
			n.start()
			defer n.stop()
			o := testOptions(n)
			o.Pipeline = 4
			r := mustRun(t, o)
			if r.Unknown == 0 || r.Failed != r.Unknown || r.Answered+r.Unknown != o.Requests {
				t.Errorf("unknown %d, failed %d, answered %d", r.Unknown, r.Failed, r.Answered)
			}
			if v := r.Verify; v.ExpectedLow != r.Answered || v.ExpectedHigh != r.Answered+r.Unknown {
				t.Errorf("expected %d to %d", v.ExpectedLow, v.ExpectedHigh)
			}
			if len(r.Errors) == 0 || !strings.Contains(r.Errors[0], "outcome unknown") {
				t.Errorf("errors %q", r.Errors)
			}
		})
	}
}

func TestRun_TellsFatesByStatus(t *testing.T) {
	n := newNode(t, newSums())
	n.before = func(ctx *fasthttp.RequestCtx, number int64) bool {
		switch number % 10 {
		case 1:
			ctx.SetStatusCode(503)
		case 2:
			ctx.SetStatusCode(422)
			ctx.SetBodyString(`{"errors":{"value":["is invalid"]}}`)
		case 3:
			ctx.SetStatusCode(500)
		default:
			return false
		}
		return true
	}
	n.after = func(ctx *fasthttp.RequestCtx, number int64) {
		switch number % 10 {
		case 4:
			ctx.SetStatusCode(504) // held, and will count
		case 5:
			ctx.Response.Header.Set("Counted", "later")
		}
	}
	n.start()
	defer n.stop()
	r := mustRun(t, testOptions(n))
	if r.Refused != 200 || r.Rejected != 200 || r.Unknown != 400 || r.Failed != 800 || r.Later != 200 || r.Answered != 1200 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(strings.Join(r.Errors, "\n"), `status 422: {"errors"`) {
		t.Errorf("errors %q", r.Errors)
	}
}

func TestRun_SendsDurabilityAndPreference(t *testing.T) {
	n := newNode(t, newSums())
	n.before = func(ctx *fasthttp.RequestCtx, _ int64) bool {
		if string(ctx.Request.Header.Peek("Durability")) != "database" || string(ctx.Request.Header.ContentType()) != "application/json" {
			ctx.SetStatusCode(400)
			return true
		}
		return false
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Durability, o.ReturnTotal, o.Pipeline = "database", true, 3
	if r := mustRun(t, o); r.Statuses["200"] != o.Requests {
		t.Errorf("statuses %v, errors %q", r.Statuses, r.Errors)
	}
}

func TestRun_CallsAnOutcomeUnknownWhenTheAnswerDoesNotCome(t *testing.T) {
	n := newNode(t, newSums())
	release := make(chan struct{})
	n.before = func(_ *fasthttp.RequestCtx, number int64) bool {
		if number == 10 {
			<-release
		}
		return false
	}
	n.start()
	defer n.stop()
	defer close(release)
	o := testOptions(n)
	o.Timeout = 100 * time.Millisecond
	r := mustRun(t, o)
	if r.Unknown != 1 || !strings.Contains(strings.Join(r.Errors, " "), "timeout") {
		t.Errorf("unknown %d, errors %q", r.Unknown, r.Errors)
	}
}

func TestRun_ReconnectsWithoutAFailureWhenAnIdleConnectionWasClosed(t *testing.T) {
	n := newNode(t, newSums())
	n.after = func(ctx *fasthttp.RequestCtx, _ int64) {
		// The answer does not say that it closes, as with an idle timeout.
		c := ctx.Conn()
		time.AfterFunc(30*time.Millisecond, func() { _ = c.Close() })
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Connections, o.Requests, o.Rate, o.Verify = 2, 8, 10, false // 200 ms between two requests of a connection
	if r := mustRun(t, o); r.Answered != 8 || r.Failed != 0 {
		t.Errorf("answered %d, failed %d %q", r.Answered, r.Failed, r.Errors)
	}
}

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
	if sum := r.Answered + r.Unsent; sum < 298 || sum > 302 || r.Unsent < 200 {
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

func TestRun_SeesNoFailureWhenAllNodesRestartInTurn(t *testing.T) {
	s := newSums()
	nodes := []*node{startNode(t, s), startNode(t, s), startNode(t, s)}
	o := testOptions(nodes...)
	o.Pipeline, o.Requests = 8, 1_000_000_000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var result *Result
	var err error
	var running sync.WaitGroup
	running.Go(func() { result, err = Run(ctx, o) })
	for _, n := range nodes {
		eventually(t, "load on "+n.addr, func() bool { return n.requests.Load() > 100 })
		n.drain()
		n.start()
		before := n.requests.Load()
		eventually(t, "load is back home", func() bool { return n.requests.Load() > before+100 })
	}
	cancel()
	running.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if result.Failed != 0 || !result.Verify.OK {
		t.Errorf("failed %d %q, verification %+v", result.Failed, result.Errors, result.Verify)
	}
}

func TestRun_StaysWithAConnectionThatWorksWhenNoTargetIsReady(t *testing.T) {
	n := newNode(t, newSums())
	n.after = func(_ *fasthttp.RequestCtx, number int64) {
		if number == 100 {
			n.ready.Store(false)
		}
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.Connections = 2
	if r := mustRun(t, o); r.Answered != o.Requests {
		t.Errorf("answered %d", r.Answered)
	}
}

func TestRun_GivesUpWhenNoTargetIsReadyAtTheStart(t *testing.T) {
	n := startNode(t, newSums())
	n.ready.Store(false)
	o := testOptions(n)
	o.ReadyTimeout, o.VerifyTimeout = 50*time.Millisecond, 50*time.Millisecond
	for _, verify := range []bool{false, true} {
		o.Verify = verify
		r, err := Run(t.Context(), o)
		if r != nil || !errors.Is(err, errNoTarget) || !strings.Contains(err.Error(), "/readyz answers 503") {
			t.Errorf("verify %v: result %v, error %v", verify, r, err)
		}
	}
}

func TestRun_ReportsWhatItHasWhenAllTargetsAreLost(t *testing.T) {
	n := newNode(t, newSums())
	n.after = func(ctx *fasthttp.RequestCtx, number int64) {
		if number == 100 {
			n.ready.Store(false)
		}
		if number >= 100 {
			ctx.SetConnectionClose()
		}
	}
	n.start()
	defer n.stop()
	o := testOptions(n)
	o.ReadyTimeout = 100 * time.Millisecond
	r, err := Run(t.Context(), o)
	if !errors.Is(err, errNoTarget) || r == nil {
		t.Fatalf("result %v, error %v", r, err)
	}
	if r.Answered < 100 || r.Unsent != o.Requests-r.Answered || r.Failed != 0 || !r.Verify.OK {
		t.Errorf("%+v", r)
	}
}

func TestRun_RefusesBadOptions(t *testing.T) {
	if _, err := Run(t.Context(), Options{}); err == nil {
		t.Error("no error")
	}
}

func TestRun_DrawsAProgressLine(t *testing.T) {
	o := testOptions(startNode(t, newSums()))
	var out lines
	o.Progress, o.ProgressInterval = &out, 20*time.Millisecond
	o.Requests, o.Duration = 0, 200*time.Millisecond
	mustRun(t, o)
	got := out.all()
	if len(got) < 2 || !strings.Contains(got[1], "req/s") || !strings.Contains(got[1], "failed 0") || !strings.Contains(got[1], "ready 1/1") {
		t.Errorf("lines %q", got)
	}
}

// lines is a writer that several goroutines may use.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}
