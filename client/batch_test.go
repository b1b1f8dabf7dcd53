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
