package bench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

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

func TestRun_RefusesBadOptions(t *testing.T) {
	if _, err := Run(t.Context(), Options{}); err == nil {
		t.Error("no error")
	}
}
