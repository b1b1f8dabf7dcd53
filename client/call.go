package client

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"time"
)

// request is what a call sends to whichever node takes it.
type request struct {
	method, path string
	body         []byte
	header       http.Header
	repeatable   bool // a repeat cannot count twice
	command      bool // its owner acts on the total: nobody holds it, and a 504 leaves it in doubt
}

// reply is an answer below 400.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 16 << 20

// call sends the request until a node answers it, the attempts are used up, or ctx ends.
func (c *Client) call(ctx context.Context, r request) (*reply, error) {
	pause := c.opt.Backoff
	last, doubt := &failure{}, false
	for attempt := 0; ; attempt++ {
		i, err := c.turn(ctx)
		if err != nil {
			return nil, last.verdict(ctx, doubt)
		}
		answer, failed := c.attempt(ctx, c.nodes[i], r)
		if failed == nil {
			c.prefer(i)
			return answer, nil
		}
		last = failed
		doubt = doubt || r.method != http.MethodGet && (failed.fate == doubtful || failed.fate == held)
		if failed.fate == said {
			return nil, last.verdict(ctx, doubt)
		}
		if ctx.Err() != nil { // perhaps the node's fault, perhaps not: the next call begins with another, and need not wait
			c.leave(i, time.Now())
			return nil, last.verdict(ctx, doubt)
		}
		rest := failed.rest
		if rest == 0 {
			rest = jitter(pause)
			if attempt%len(c.nodes) == len(c.nodes)-1 { // all had their turn
				pause = min(2*pause, c.opt.MaxBackoff)
			}
		}
		c.leave(i, time.Now().Add(rest)) // also when this call ends: the next one would meet the same
		if !failed.again(r) || attempt >= c.opt.Retries {
			return nil, last.verdict(ctx, doubt)
		}
	}
}

// turn returns the node to ask, when it may be asked. Error: ctx ended.
func (c *Client) turn(ctx context.Context) (index int, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	index, wait := c.pick(time.Now())
	if wait > 0 { // every node asked to be left alone
		err = sleep(ctx, min(wait, c.opt.MaxBackoff))
	}
	return index, err
}

// attempt sends the request to one node.
func (c *Client) attempt(ctx context.Context, n *endpoint, r request) (*reply, *failure) {
	inner, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	var conn connecting
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(inner, conn.trace()), r.method, n.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, &failure{err: err}
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.opt.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opt.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, conn.broken(r, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 300 {
		return nil, refusal(r, errorOf(n.base, resp.StatusCode, resp.Header, body))
	}
	if err != nil && r.method != http.MethodPost { // an increment's status says what must be known
		return nil, &failure{fate: doubtful, err: err}
	}
	return &reply{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// pick returns the node to ask: that of choice, or the next one that is not left alone; when all are, the one
// whose time is up first, and for how long to wait.
func (c *Client) pick(now time.Time) (index int, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := c.choice
	for k := range c.nodes {
		i := (c.choice + k) % len(c.nodes)
		if !c.nodes[i].until.After(now) {
			return i, 0
		}
		if c.nodes[i].until.Before(c.nodes[best].until) {
			best = i
		}
	}
	return best, c.nodes[best].until.Sub(now)
}

// prefer keeps to a node that answered.
func (c *Client) prefer(index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.choice = index
	c.nodes[index].until = time.Time{}
}

// leave lets a node alone until a time, and the next call begin with the one after it.
func (c *Client) leave(index int, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[index].until = until
	if c.choice == index {
		c.choice = (index + 1) % len(c.nodes)
	}
}

// jitter is a time from half of d to d, so that clients that failed together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
