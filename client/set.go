package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Set is the outcome of a counter that was set.
type Set struct {
	Value    int64 `json:"value"`    // what it was set to
	Previous int64 `json:"previous"` // the total just before
	Replayed bool  `json:"-"`        // its idempotency key was known: this is the first one's answer
}

// Set sets the counter key. Options: Idempotent, IdempotencyKey and WithDurability; others are an error. When its outcome is unknown it is
// sent again only with an idempotency key: the first one may have been carried out, and then only its answer tells the previous
// value. Errors: as of Increment; 422 also when the value is too far from the total for one change of 64 bits.
func (c *Client) Set(ctx context.Context, key string, value int64, options ...Option) (Set, error) {
	body, err := json.Marshal(struct {
		Value int64 `json:"value"`
	}{value})
	if err != nil {
		return Set{}, err
	}
	return c.set(ctx, request{method: http.MethodPut, path: "/api/v1/counters/" + escape(key), body: body}, options)
}

// Reset is Set to 0.
func (c *Client) Reset(ctx context.Context, key string, options ...Option) (Set, error) {
	return c.set(ctx, request{method: http.MethodDelete, path: "/api/v1/counters/" + escape(key)}, options)
}

func (c *Client) set(ctx context.Context, r request, options []Option) (Set, error) {
	var in increment
	for _, change := range options {
		change(&in)
	}
	if in.min != nil || in.max != nil || in.saturate || in.total {
		return Set{}, fmt.Errorf("%s of a counter: WantTotal, Min, Max and Saturate are for increments", r.method)
	}
	r.command = true
	r, err := in.headers(r)
	if err != nil {
		return Set{}, err
	}
	answer, err := c.call(ctx, r)
	if err != nil {
		return Set{}, err
	}
	var body struct{ Data *Set }
	if err := json.Unmarshal(answer.body, &body); err != nil || body.Data == nil {
		return Set{}, fmt.Errorf("%w: the answer to %s %s is not what a node of Pinocchio says, is the address right?", ErrUnknownOutcome, r.method, r.path)
	}
	body.Data.Replayed = answer.header.Get("Idempotency-Replayed") == "true"
	return *body.Data, nil
}
