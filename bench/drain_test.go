package bench

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

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
	o.Timeout = 200 * time.Millisecond // on a busy machine others may time out as well
	r := mustRun(t, o)
	if r.Unknown < 1 || r.Answered+r.Unknown != o.Requests || !strings.Contains(strings.Join(r.Errors, " "), "timeout") {
		t.Errorf("unknown %d, errors %q", r.Unknown, r.Errors)
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
