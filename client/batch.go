package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Increment is one of many.
type Increment struct {
	Key   string
	Value int64
	ID    string // its idempotency key; empty: none
}

// item is an Increment on the wire.
type item struct {
	Key   string `json:"key"`
	Value int64  `json:"value"`
	ID    string `json:"id,omitempty"`
}

// itemAnswer is an item's answer on the wire.
type itemAnswer struct {
	Status int `json:"status"`
	Data   *struct {
		Value *int64 `json:"value"`
	} `json:"data"`
	Replayed bool                `json:"replayed"`
	Counted  string              `json:"counted"`
	Errors   map[string][]string `json:"errors"`
}

// Outcome is what became of one of many: Err is nil, or *Error (504: it is held and will be counted), ErrUnknownOutcome,
// ErrUnreachable, or why the context ended.
type Outcome struct {
	Added
	Err error
}

// IncrementMany sends many increments in one request and returns their outcomes in the same order; one that is invalid does
// not spoil the others. What was refused for the moment is sent again, and so is one with an ID that a node answered with 500
// or 504. A request whose outcome is unknown is sent again when every increment in it has an ID. Cut them into requests of some
// hundreds: a node bounds a request's size.
func (c *Client) IncrementMany(ctx context.Context, list []Increment) []Outcome {
	out := make([]Outcome, len(list))
	left := make([]int, 0, len(list)) // indexes of what is not decided
	for i := range list {
		if out[i].Err = faultOf(list[i].Key); out[i].Err == nil {
			left = append(left, i)
		}
	}
	pause := c.opt.Backoff
	for round := 0; len(left) > 0; round++ {
		left = c.sendMany(ctx, list, left, out)
		if len(left) == 0 || round >= c.opt.Retries {
			break
		}
		wait := jitter(pause)
		pause = min(2*pause, c.opt.MaxBackoff)
		if sleep(ctx, wait) != nil {
			break // they keep the answers that they got
		}
	}
	return out
}

// sendMany sends what is left, notes outcomes, and returns what is to be sent again.
func (c *Client) sendMany(ctx context.Context, list []Increment, left []int, out []Outcome) (again []int) {
	answers, err := c.postMany(ctx, list, left)
	for k, i := range left {
		now := Outcome{Err: err}
		if err == nil {
			now = outcomeOf(answers[k])
			if notNow(answers[k].Status) || list[i].ID != "" && mayHaveCounted(answers[k].Status) {
				again = append(again, i)
			}
		}
		if now.Err != nil && mayCount(out[i].Err) && !mayCount(now.Err) { // in an earlier round it may have counted
			now.Err = inDoubt(now.Err)
		}
		out[i] = now
	}
	return again
}

func (c *Client) postMany(ctx context.Context, list []Increment, left []int) ([]itemAnswer, error) {
	items := make([]item, len(left))
	repeatable := true
	for k, i := range left {
		items[k] = item(list[i])
		repeatable = repeatable && list[i].ID != ""
	}
	body, err := json.Marshal(items)
	if err != nil {
		return nil, err
	}
	r := request{method: http.MethodPost, path: "/api/v1/increments", body: body, repeatable: repeatable}
	r.header = http.Header{"Content-Type": {"application/json"}}
	for attempt := 0; ; attempt++ {
		answer, err := c.call(ctx, r)
		if err != nil {
			if attempt > 0 && !mayCount(err) { // the answer that could not be read
				err = inDoubt(err)
			}
			return nil, err
		}
		answers, err := itemAnswers(answer.body, len(items))
		if err == nil || !repeatable || attempt >= c.opt.Retries {
			return answers, err
		}
		if err := sleep(ctx, jitter(c.opt.Backoff)); err != nil {
			return nil, inDoubt(err)
		}
	}
}

// itemAnswers reads the items' answers; an answer cut off says nothing of any of them.
func itemAnswers(body []byte, want int) ([]itemAnswer, error) {
	var answers []itemAnswer
	if err := json.Unmarshal(body, &answers); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	if len(answers) != want {
		return nil, fmt.Errorf("%w: %d answers to %d increments", ErrUnknownOutcome, len(answers), want)
	}
	return answers, nil
}

func outcomeOf(a itemAnswer) Outcome {
	added := Added{Later: a.Counted == "later", Replayed: a.Replayed}
	switch {
	case a.Status >= 200 && a.Status < 300:
		if a.Data != nil && a.Data.Value != nil {
			added.Total, added.HasTotal = *a.Data.Value, true
		}
		return Outcome{Added: added}
	case mayHaveCounted(a.Status) && a.Status != http.StatusGatewayTimeout:
		return Outcome{Err: fmt.Errorf("%w: %w", ErrUnknownOutcome, &Error{Status: a.Status, Fields: a.Errors})}
	}
	return Outcome{Err: &Error{Status: a.Status, Fields: a.Errors}}
}
