package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
)

// perform makes the call at the member and records it. What c has of an answer is set.
func (w *world) perform(cl *client, m *member, c *history.Call, representation bool, limit time.Duration) {
	req, err := request(m.HTTP, c, representation)
	if err != nil {
		w.violate("a request of the run's own is wrong: %v", err)
		return
	}
	if i := m.now.Load(); i != nil {
		c.Life = i.id
	}
	c.Start = w.clock()
	r, sent, err := cl.do(m.HTTP, req, limit)
	c.End = w.clock()
	switch {
	case err != nil && !sent:
		c.Outcome = history.Refused
	case err != nil:
		c.Outcome = history.Unknown
	default:
		w.take(c, r)
	}
	if i := m.now.Load(); i != nil && sent && i.id != c.Life {
		// It may have been either process that took it: the earlier one has ended, so nothing is promised that it alone would hold.
		c.Life = i.id
		if was := (history.Life{Node: i.id.Node, Nth: i.id.Nth - 1}); w.risky(was) {
			c.Life = was
		}
	}
	w.book.Record(*c)
}

func request(addr string, c *history.Call, representation bool) (*http.Request, error) {
	switch c.Kind {
	case history.Total:
		return http.NewRequest(http.MethodGet, "http://"+addr+"/api/v1/increment/"+url.PathEscape(c.Key), nil)
	case history.Stored:
		return http.NewRequest(http.MethodGet, "http://"+addr+"/api/v1/counters/"+url.PathEscape(c.Key), nil)
	}
	body := fmt.Sprintf(`{"key":%q,"value":%d}`, c.Key, c.Delta)
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/api/v1/increment", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Durability", c.Level.String())
	if c.Idempotent {
		req.Header.Set("Idempotency-Key", fmt.Sprintf(`"op-%d"`, c.Op))
	}
	if representation {
		req.Header.Set("Prefer", "return=representation")
	}
	return req, nil
}

// take reads an answer.
func (w *world) take(c *history.Call, r reply) {
	c.Status = r.status
	c.Stale = r.header.Get("Warning") != ""
	c.Replayed = r.header.Get("Idempotency-Replayed") != ""
	switch r.status {
	case http.StatusOK, http.StatusAccepted:
		c.Outcome = history.Answered
		if r.header.Get("Counted") == "later" {
			c.Outcome = history.Later
		}
	case http.StatusGatewayTimeout:
		c.Outcome = history.Held
	case http.StatusServiceUnavailable, http.StatusConflict, http.StatusTooManyRequests:
		c.Outcome = history.Refused
	default: // of these the load gives no cause
		c.Outcome = history.Unknown
		w.violate("unexpected answer %d of %v to %v %s: %.200s", r.status, c.Life, c.Kind, c.Key, r.body)
	}
	if r.status != http.StatusOK {
		return
	}
	var answer struct {
		Data struct {
			Value     *int64
			Persisted *int64
		}
	}
	if err := json.Unmarshal(r.body, &answer); err != nil {
		w.violate("unreadable answer of %v to %v %s: %.200q", c.Life, c.Kind, c.Key, r.body)
		return
	}
	value := answer.Data.Value
	if c.Kind == history.Stored {
		value = answer.Data.Persisted
		c.Stale = false // the table itself never is
	}
	if value != nil {
		c.Value, c.HasValue = *value, true
	}
}

// risky says whether what the process held may be lost.
func (w *world) risky(id history.Life) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.mu.risks[id]
	return ok
}
