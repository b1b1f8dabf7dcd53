package client_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/pinocchio-nose/pinocchio/client"
)

// answers returns an answer with status 200 and this body, whatever it is worth.
func answers(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// An answer that cannot be read says nothing of any increment: without idempotency keys none is sent again, with them all are.
func TestIncrementMany_TakesAnAnswerThatIsCutForNone(t *testing.T) {
	const one = `{"status":202}`
	for name, body := range map[string]string{
		"nothing": "", "cut": "[" + one + ",", "one is missing": "[" + one + "]", "one too many": "[" + one + "," + one + "," + one + "]",
		"no list": one, "a proxy's page": "<html>",
	} {
		node := newStub(t, answers(body))
		for i, o := range connect(t, node.URL).IncrementMany(t.Context(), []client.Increment{{Key: "a", Value: 1}, {Key: "b", Value: 1, ID: "1"}}) {
			if !errors.Is(o.Err, client.ErrUnknownOutcome) {
				t.Errorf("%s: increment %d: %v, want ErrUnknownOutcome", name, i, o.Err)
			}
		}
		if n := len(node.requests()); n != 1 {
			t.Errorf("%s: %d requests without a key for each", name, n)
		}
		again := newStub(t, answers(body), answers("["+one+","+one+"]"))
		for i, o := range connect(t, again.URL).IncrementMany(t.Context(), []client.Increment{{Key: "a", Value: 1, ID: "1"}, {Key: "b", Value: 1, ID: "2"}}) {
			if o.Err != nil {
				t.Errorf("%s, with keys: increment %d: %v", name, i, o.Err)
			}
		}
		if n := len(again.requests()); n != 2 {
			t.Errorf("%s: %d requests with a key for each, want 2", name, n)
		}
	}
}

// An item that a node holds, or failed at, is asked for again when it has an ID, and only then. What became of it in an
// earlier round is not forgotten in a later one.
func TestIncrementMany_SendsAnItemInDoubtAgainOnlyWithAnID(t *testing.T) {
	const accepted, full, held, fault = `{"status":202}`, `{"status":503}`, `{"status":504}`, `{"status":500}`
	list := []client.Increment{{Key: "a", Value: 1}, {Key: "b", Value: 1, ID: "1"}, {Key: "c", Value: 1, ID: "2"}}
	node := newStub(t, answers("["+full+","+held+","+fault+"]"), answers("["+accepted+","+accepted+","+accepted+"]"))
	for i, o := range connect(t, node.URL).IncrementMany(t.Context(), list) {
		if o.Err != nil {
			t.Errorf("with an ID, increment %d: %v", i, o.Err)
		}
	}
	node = newStub(t, answers("["+held+","+fault+","+accepted+"]"))
	out := connect(t, node.URL).IncrementMany(t.Context(), []client.Increment{{Key: "a"}, {Key: "b"}, {Key: "c", ID: "1"}})
	var answer *client.Error
	if n := len(node.requests()); n != 1 || !errors.As(out[0].Err, &answer) || answer.Status != 504 || !errors.Is(out[1].Err, client.ErrUnknownOutcome) || out[2].Err != nil {
		t.Errorf("without an ID: %v after %d requests", out, n)
	}
	for name, later := range map[string]func(http.ResponseWriter, *http.Request){
		"refused": answers("[" + full + "," + full + "]"), "refused as a whole": status(503), "refused for good": status(422),
	} {
		node := newStub(t, answers("["+held+","+full+"]"))
		for range 20 {
			node.answers = append(node.answers, later)
		}
		out := connect(t, node.URL).IncrementMany(t.Context(), []client.Increment{{Key: "a", ID: "1"}, {Key: "b", ID: "2"}})
		if !errors.Is(out[0].Err, client.ErrUnknownOutcome) || out[1].Err == nil || errors.Is(out[1].Err, client.ErrUnknownOutcome) {
			t.Errorf("held, then %s: %v", name, out)
		}
	}
	node = newStub(t, answers("[cut"))
	for range 20 {
		node.answers = append(node.answers, status(503))
	}
	if out := connect(t, node.URL).IncrementMany(t.Context(), list[1:2]); !errors.Is(out[0].Err, client.ErrUnknownOutcome) {
		t.Errorf("an answer cut off, then refused: %v", out)
	}
}

// JSON cannot hold a key that is no UTF-8: written as JSON it would be another one, and all such keys the same.
func TestIncrement_RefusesAKeyThatJSONWouldChange(t *testing.T) {
	node := newStub(t, answers(`[{"status":202}]`))
	c := connect(t, node.URL)
	var answer *client.Error
	if _, err := c.Increment(t.Context(), "a\xff", 1); !errors.As(err, &answer) || answer.Status != 422 || len(answer.Fields["key"]) != 1 {
		t.Errorf("%v, want a 422 about the key", err)
	}
	out := c.IncrementMany(t.Context(), []client.Increment{{Key: "a\xff", Value: 1}, {Key: "b", Value: 1}, {Key: "\xfe", Value: 1}})
	if !errors.As(out[0].Err, &answer) || answer.Status != 422 || out[1].Err != nil || !errors.As(out[2].Err, &answer) {
		t.Errorf("%v, want only the second one counted", out)
	}
	if n := len(node.requests()); n != 1 {
		t.Errorf("%d requests, want one for the second key", n)
	}
}
