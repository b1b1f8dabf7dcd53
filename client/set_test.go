package client_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/pinocchio-nose/pinocchio/client"
)

// say answers with a body, and fails the test unless this request came.
func say(t *testing.T, line, body, answer string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		if r.Method+" "+r.URL.EscapedPath() != line || string(got) != body {
			t.Errorf("%s %s came with %s, want %s with %s", r.Method, r.URL.EscapedPath(), got, line, body)
		}
		w.Header().Set("Idempotency-Replayed", r.Header.Get("Idempotency-Key"))
		_, _ = io.WriteString(w, answer)
	}
}

// scripted is a node whose answers see the body.
func scripted(t *testing.T, answer http.HandlerFunc) *client.Client {
	t.Helper()
	node := newStub(t)
	node.Config.Handler = answer
	return connect(t, node.URL)
}

func TestSet_TellsWhatTheCounterWas(t *testing.T) {
	c := scripted(t, say(t, "PUT /api/v1/counters/a%2Fb", `{"value":-5}`, `{"data":{"key":"a/b","value":-5,"previous":7}}`))
	if got, err := c.Set(t.Context(), "a/b", -5); err != nil || got != (client.Set{Value: -5, Previous: 7}) {
		t.Errorf("%+v (%v)", got, err)
	}
	c = scripted(t, say(t, "DELETE /api/v1/counters/k", ``, `{"data":{"key":"k","value":0,"previous":7}}`))
	if got, err := c.Reset(t.Context(), "k", client.WithDurability(client.Database)); err != nil || got != (client.Set{Previous: 7}) {
		t.Errorf("%+v (%v)", got, err)
	}
	if _, err := c.Reset(t.Context(), "k", client.Max(5)); err == nil {
		t.Error("an option of increments was taken")
	}
	c = scripted(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.Reset(t.Context(), "k"); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("an answer that is none: %v", err)
	}
}

// A repeat without a key would tell what the first one left, and lose what it was.
func TestSet_IsRepeatedOnlyWithAnIdempotencyKey(t *testing.T) {
	for name, c := range map[string]struct {
		options []client.Option
		arrives int
	}{
		"without a key": {nil, 1},
		"with a key":    {[]client.Option{client.Idempotent()}, 2},
	} {
		node := newStub(t, lose, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":{"value":0,"previous":7}}`)
		})
		got, err := connect(t, node.URL).Reset(t.Context(), "k", c.options...)
		if len(node.requests()) != c.arrives || errors.Is(err, client.ErrUnknownOutcome) != (c.options == nil) || err == nil && got.Previous != 7 {
			t.Errorf("%s: %d requests, %+v (%v)", name, len(node.requests()), got, err)
		}
	}
}

func TestIncrement_KeepsWithinBounds(t *testing.T) {
	const line = "POST /api/v1/increment"
	c := scripted(t, say(t, line, `{"key":"k","value":5,"min":0,"max":10,"overflow":"saturate"}`, `{"data":{"key":"k","value":10,"applied":2}}`))
	got, err := c.Increment(t.Context(), "k", 5, client.Min(0), client.Max(10), client.Saturate())
	if want := (client.Added{Total: 10, HasTotal: true, Applied: 2}); err != nil || got != want {
		t.Errorf("%+v (%v)", got, err)
	}
	c = scripted(t, say(t, line, `{"key":"k","value":5,"max":10}`, `cut off`))
	if got, err := c.Increment(t.Context(), "k", 5, client.Max(10)); err != nil || got.HasTotal || got.Applied != 5 {
		t.Errorf("counted, with an answer that is cut off: %+v (%v)", got, err)
	}
	c = scripted(t, say(t, line, `{"key":"k","value":5,"max":10,"overflow":"saturate"}`, `cut off`))
	if _, err := c.Increment(t.Context(), "k", 5, client.Max(10), client.Saturate()); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("nobody knows what was added: %v", err)
	}
	var answer *client.Error
	_, err = connect(t, newStub(t, status(409)).URL).Increment(t.Context(), "k", 5, client.Max(10))
	if !errors.As(err, &answer) || answer.Status != 409 {
		t.Errorf("beyond the bound: %v", err)
	}
}
