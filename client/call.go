package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// request is what a call sends to whichever node takes it.
type request struct {
	method, path string
	body         []byte
	header       http.Header
	repeatable   bool // a repeat cannot count twice
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
	for attempt := 0; ; attempt++ {
		i, wait := c.pick(time.Now())
		if wait > 0 { // every node asked to be left alone
			if err := sleep(ctx, min(wait, c.opt.MaxBackoff)); err != nil {
				return nil, err
			}
		}
		answer, err := c.attempt(ctx, c.nodes[i], r)
		if err == nil {
			c.prefer(i)
			return answer, nil
		}
		again, rest := judge(err, r.repeatable)
		if ctx.Err() != nil && again {
			return nil, errors.Join(context.Cause(ctx), err)
		}
		if !again || attempt >= c.opt.Retries {
			return nil, err
		}
		if rest == 0 {
			rest = jitter(pause)
			if attempt%len(c.nodes) == len(c.nodes)-1 { // all had their turn
				pause = min(2*pause, c.opt.MaxBackoff)
			}
		}
		c.leave(i, time.Now().Add(rest))
	}
}

// judge says whether a failed request may be sent again, and how long its node asked to be left alone.
func judge(err error, repeatable bool) (again bool, rest time.Duration) {
	var answer *Error
	switch {
	case errors.As(err, &answer):
		return refused(answer.Status) || repeatable && unknown(answer.Status), answer.RetryAfter
	case errors.Is(err, ErrUnreachable):
		return true, 0
	}
	return repeatable, 0
}

// attempt sends the request to one node. Errors: *Error, ErrUnreachable, ErrUnknownOutcome, and what net/http says.
func (c *Client) attempt(ctx context.Context, n *endpoint, r request) (*reply, error) {
	inner, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(inner, r.method, n.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.opt.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opt.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, broken(err, r.repeatable)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode < 300 && len(r.body) == 0 {
		return nil, broken(err, r.repeatable) // an increment's status says what must be known
	}
	if resp.StatusCode >= 300 {
		answer := errorOf(n.base, resp.StatusCode, resp.Header, body)
		if unknown(answer.Status) && answer.Status != http.StatusGatewayTimeout && !r.repeatable {
			return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, answer)
		}
		return nil, answer
	}
	return &reply{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// broken sorts errors of the transport: a dial that failed has sent nothing.
func broken(err error, repeatable bool) error {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case repeatable:
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// pick returns the node to ask: the one that answered last, or the next one that is not left alone; when all are, the one
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

// leave lets a node alone until a time.
func (c *Client) leave(index int, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[index].until = until
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
