package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestBatch_IsOneRequestOfItsItems(t *testing.T) {
	o := DefaultOptions()
	o.KeyPrefix, o.Value, o.Durability, o.ReturnTotal, o.Token = oddPrefix, -12, "disk", true, "secret"
	tmpl := newBatchTemplate(o, "node:1")
	for _, keys := range [][]int{{0}, {7, 7}, {1, 22, 333, 99999999}} {
		items := make([]item, len(keys))
		for i, k := range keys {
			items[i].key = k
		}
		req := parseOne(t, tmpl.append(nil, items))
		var body []struct {
			Key   string
			Value int64
		}
		if err := json.Unmarshal(req.Body(), &body); err != nil || len(body) != len(keys) {
			t.Fatalf("%v: body %q, %v", keys, req.Body(), err)
		}
		for i, k := range keys {
			if body[i].Key != o.key(k) || body[i].Value != -12 {
				t.Errorf("%v: item %d is %+v", keys, i, body[i])
			}
		}
		h := &req.Header
		if !h.IsPost() || string(h.RequestURI()) != "/api/v1/increments" || string(h.Host()) != "node:1" ||
			string(h.Peek("Durability")) != "disk" || string(h.Peek("Prefer")) != "return=representation" || string(h.Peek("Authorization")) != "Bearer secret" {
			t.Errorf("%s", h.String())
		}
	}
}

// batched are testOptions with batches of 30.
func batched(nodes ...*node) Options {
	o := testOptions(nodes...)
	o.Requests, o.Batch, o.Pipeline = 200, 30, 3
	return o
}

func TestRun_CountsItemsOfBatches(t *testing.T) {
	s := newSums()
	n := startNode(t, s)
	r := mustRun(t, batched(n))
	if r.Answered != 6000 || r.Failed != 0 || s.total() != 6000 || n.requests.Load() != 200 || r.Verify.ExpectedLow != 6000 {
		t.Errorf("answered %d, counted %d in %d requests: %+v", r.Answered, s.total(), n.requests.Load(), r.Verify)
	}
	if ratio := r.AnsweredPerSecond / r.RequestsPerSecond; ratio < 29.9 || ratio > 30.1 {
		t.Errorf("%v increments/s in %v req/s", r.AnsweredPerSecond, r.RequestsPerSecond)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), " increments/s, ") || !strings.Contains(text.String(), "30 increments a request") {
		t.Errorf("%v\n%s", err, &text)
	}
}

// Large answers: more than a connection's buffer holds.
func TestRun_TakesEachItemOfABatchByItsOwnAnswer(t *testing.T) {
	for _, batch := range []int{30, maxBatch} {
		s := newSums()
		n := startNode(t, s)
		n.item = func(at int) (int, string) {
			switch at % 10 {
			case 0:
				return 503, `,"errors":{"detail":["later"]}`
			case 1:
				return 422, `,"errors":{"value":["is too large"]}`
			case 2:
				return 202, `,"counted":"later"`
			case 3:
				return 200, `,"data":{"key":"` + strings.Repeat("k", 50) + `","value":7}`
			case 4:
				return 504, ""
			}
			return 202, ""
		}
		o := batched(n)
		o.Batch, o.Requests = batch, 40
		r := mustRun(t, o)
		tenth := 40 * int64(batch) / 10
		if r.Answered != 7*tenth || r.Later != tenth || r.Refused != tenth || r.Rejected != tenth || r.Unknown != tenth || s.total() != 7*tenth {
			t.Errorf("batches of %d: %+v", batch, r)
		}
		if r.Verify.ExpectedLow != 7*tenth || r.Verify.ExpectedHigh != 8*tenth {
			t.Errorf("expected %d to %d", r.Verify.ExpectedLow, r.Verify.ExpectedHigh)
		}
		want := map[string]int64{"200": tenth, "202": 6 * tenth, "422": tenth, "503": tenth, "504": tenth}
		if !maps.Equal(r.Statuses, want) || !strings.Contains(fmt.Sprint(r.Errors), "is too large") {
			t.Errorf("%v, %v", r.Statuses, r.Errors)
		}
	}
}

func TestRun_TakesABatchThatIsRefusedAsAWholeForAllItsItems(t *testing.T) {
	for status, forbidden := range map[int]bool{401: true, 403: true, 503: false, 413: false} {
		n := startNode(t, newSums())
		n.before = func(ctx *fasthttp.RequestCtx, _ int64) bool {
			ctx.SetStatusCode(status)
			return true
		}
		r := mustRun(t, batched(n))
		if r.Failed != 6000 || r.Answered != 0 || r.Unknown != 0 || r.Forbidden() != forbidden {
			t.Errorf("%d: failed %d, answered %d, unknown %d, forbidden %v", status, r.Failed, r.Answered, r.Unknown, r.Forbidden())
		}
	}
}

// Neither a lost answer nor one that nobody understands says anything of any item.
func TestRun_DoubtsABatchWhoseAnswerTellsNothing(t *testing.T) {
	for name, spoil := range map[string]func(*fasthttp.RequestCtx){
		"lost":      func(ctx *fasthttp.RequestCtx) { _ = ctx.Conn().Close() },
		"too short": func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(`[{"status":202}]`) },
		"no JSON":   func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("counted") },
		"no such status": func(ctx *fasthttp.RequestCtx) {
			ctx.SetBodyString(strings.ReplaceAll(string(ctx.Response.Body()), "202", "902"))
		},
		"nothing said":   func(ctx *fasthttp.RequestCtx) { ctx.ResetBody() },
		"another answer": func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(`{"data":{"value":3}}`) },
		"one item longer": func(ctx *fasthttp.RequestCtx) {
			ctx.SetBodyString(`[{"status":202},` + string(ctx.Response.Body())[1:])
		},
	} {
		s := newSums()
		n := startNode(t, s)
		n.after = func(ctx *fasthttp.RequestCtx, number int64) {
			if number == 20 {
				spoil(ctx)
			}
		}
		o := batched(n)
		o.Pipeline = 1
		r := mustRun(t, o)
		if r.Unknown != 30 || r.Answered != 6000-30 || s.total() != 6000 || r.Verify.ExpectedLow != 5970 || r.Verify.ExpectedHigh != 6000 {
			t.Errorf("%s: answered %d, unknown %d, counted %d: %v", name, r.Answered, r.Unknown, s.total(), r.Errors)
		}
	}
}

func TestRun_SendsABatchAgainThatStoodBehindAClose(t *testing.T) {
	s := newSums()
	n := startNode(t, s)
	n.after = func(ctx *fasthttp.RequestCtx, number int64) {
		if number%10 == 0 {
			ctx.SetConnectionClose()
		}
	}
	o := batched(n)
	o.Pipeline = 16
	r := mustRun(t, o)
	if r.Answered != 6000 || r.Failed != 0 || s.total() != 6000 || r.ResentAfterClose == 0 {
		t.Errorf("answered %d, failed %d %v, counted %d, %d sent again", r.Answered, r.Failed, r.Errors, s.total(), r.ResentAfterClose)
	}
}
