package node

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/limit"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// limited turns on a limit of 2 that nobody earns back while the test runs.
func limited(cfg *Config) {
	cfg.RateLimit = limit.Policy{Quota: 2, Window: time.Hour, Burst: 2}
	cfg.RateTimeout = 10 * time.Second
}

// clientOf returns a client about whom this node decides.
func (i *instance) clientOf(prefix string) []byte {
	i.t.Helper()
	for k := range 100_000 {
		client := fmt.Appendf(nil, "%s%d", prefix, k)
		if _, here := i.rateOwner(limit.IDOf(client)); here {
			return client
		}
	}
	i.t.Fatalf("%s decides about nobody", i.cfg.Name)
	return nil
}

func TestTake_GivesOneAllowanceOverAllNodes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, limited)
	for _, owner := range c.nodes {
		client := owner.clientOf("a")
		var got []bool
		for _, i := range c.nodes {
			got = append(got, i.Take(client, 1).Allowed)
		}
		if fmt.Sprint(got) != "[true true false]" {
			t.Errorf("a client of %s at three nodes: %v", owner.cfg.Name, got)
		}
	}
	for _, i := range c.nodes {
		page := i.metrics()
		for _, sample := range []string{"pinocchio_rate_limit_stranded_total 0"} {
			if !bytes.Contains([]byte(page), []byte("\n"+sample+"\n")) {
				t.Errorf("%s: %q is missing", i.cfg.Name, sample)
			}
		}
	}
	last := c.nodes[2]
	if allowed, denied := last.rates.allowed.Get(), last.rates.denied.Get(); allowed != 0 || denied != 3 || last.live.denied.Load() != 3 {
		t.Errorf("the third node counts %d and %d, and shows %d", allowed, denied, last.live.denied.Load())
	}
}

func TestTake_TellsTheSameAtEveryNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, limited)
	client := c.nodes[0].clientOf("a")
	for n, i := range c.nodes {
		d := i.Take(client, 1)
		// The allowance is earned a little between the two.
		if !d.Allowed || d.Remaining != 1-n || d.Retry != 0 || d.Reset > time.Duration(n+1)*30*time.Minute || d.Reset < time.Duration(n+1)*29*time.Minute {
			t.Errorf("%s: %+v", i.cfg.Name, d)
		}
	}
	for _, i := range c.nodes {
		if d := i.Take(client, 1); d.Allowed || d.Remaining != 0 || d.Retry > 30*time.Minute || d.Retry < 29*time.Minute {
			t.Errorf("%s: %+v", i.cfg.Name, d)
		}
	}
}

func TestTake_DecidesAloneWhenTheOwnerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) {
		limited(cfg)
		cfg.RateTimeout = 200 * time.Millisecond
	})
	owner, other := c.nodes[0], c.nodes[1]
	client := owner.clientOf("a")
	owner.front.hang(true)
	defer owner.front.hang(false)
	var got []bool
	began := time.Now()
	for range 3 {
		got = append(got, other.Take(client, 1).Allowed)
	}
	if fmt.Sprint(got) != "[true true false]" {
		t.Errorf("decided alone: %v", got)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("three decisions took %v: a peer that does not answer must not be asked each time", took)
	}
	if n := other.rates.stranded.Get(); n != 3 {
		t.Errorf("%d decisions are counted as made alone", n)
	}
	owner.front.hang(false)
	eventually(t, func() error { // it is asked again, and its answers count
		before := other.rates.stranded.Get()
		other.Take(owner.clientOf("b"), 1)
		if other.rates.stranded.Get() != before {
			return errors.New("the owner is not asked again")
		}
		return nil
	})
}

func TestTake_AllowsEverybodyWithoutALimit(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	for range 1000 {
		if !c.nodes[0].Take([]byte("a"), 1000).Allowed {
			t.Fatal("denied")
		}
	}
}

func TestServeLimits_SaysWhatItDoesNotOwnAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, limited)
	a, b := c.nodes[0], c.nodes[1]
	ask := func(questions []byte) (int, []byte) {
		var ctx fasthttp.RequestCtx
		a.serveLimits(&ctx, questions)
		return ctx.Response.StatusCode(), ctx.Response.Body()
	}
	mine, others := limit.IDOf(a.clientOf("m")), limit.IDOf(b.clientOf("o"))
	body := appendRateAsk(appendRateAsk(appendRateAsk(nil, rateAsk{mine, 1}), rateAsk{others, 1}), rateAsk{mine, 2})
	status, answer := ask(body)
	got, err := decodeRateAnswers(answer, 3)
	if status != 200 || err != nil {
		t.Fatal(status, err)
	}
	if !got[0].decision.Allowed || got[0].moved || !got[1].moved || got[2].moved || got[2].decision.Allowed {
		t.Errorf("%+v", got)
	}
	for _, bad := range [][]byte{body[1:], make([]byte, (maxLimits+1)*rateAskSize)} {
		if status, _ := ask(bad); status != 400 {
			t.Errorf("%d bytes: %d", len(bad), status)
		}
	}
	if _, err := decodeRateAnswers(answer, 2); err == nil {
		t.Error("more answers than questions")
	}
	answer[0] = 9
	if _, err := decodeRateAnswers(answer, 3); err == nil {
		t.Error("an answer of no known kind")
	}
}

// Who has no secret cannot take a client's allowance away.
func TestServeLimits_RefusesStrangers(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, limited)
	n := c.nodes[0]
	client := n.clientOf("a")
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI(limitPath)
	ctx.Request.SetBody(appendRateAsk(wire.AppendHeader(nil, n.header()), rateAsk{limit.IDOf(client), 2}))
	n.servePeer(&ctx)
	if ctx.Response.StatusCode() != fasthttp.StatusForbidden {
		t.Errorf("%d", ctx.Response.StatusCode())
	}
	if !n.Take(client, 2).Allowed {
		t.Error("a stranger took the allowance")
	}
}
