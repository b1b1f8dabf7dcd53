package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// stub is a node's HTTP side with scripted answers; when they are used up it says 202.
type stub struct {
	*httptest.Server
	mu      sync.Mutex
	answers []func(http.ResponseWriter, *http.Request)
	seen    []http.Header
}

func newStub(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) *stub {
	s := &stub{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.seen = append(s.seen, r.Header.Clone())
	next := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
	if len(s.answers) > 0 {
		next, s.answers = s.answers[0], s.answers[1:]
	}
	s.mu.Unlock()
	next(w, r)
}

// requests returns the headers of what arrived.
func (s *stub) requests() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func status(code int, more ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(more); i += 2 {
			w.Header().Set(more[i], more[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"errors":{"detail":["as the test wants"]}}`)
	}
}

// lose ends the connection without an answer.
func lose(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang answers when the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func connect(t *testing.T, nodes ...string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Nodes: nodes, Timeout: 300 * time.Millisecond, Backoff: time.Millisecond, Token: "secret", Retries: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestIncrement_IsRepeatedOnlyWhereItCannotCountTwice(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   func(http.ResponseWriter, *http.Request)
		id      bool
		arrives int   // requests
		want    error // nil: accepted; errAnswer: *client.Error
	}{
		{"503", status(503), false, 2, nil},
		{"429", status(429), false, 2, nil},
		{"lost", lose, false, 1, client.ErrUnknownOutcome},
		{"lost, with a key", lose, true, 2, nil},
		{"timeout", hang, false, 1, client.ErrUnknownOutcome},
		{"timeout, with a key", hang, true, 2, nil},
		{"500", status(500), false, 1, client.ErrUnknownOutcome},
		{"500, with a key", status(500), true, 2, nil},
		{"504", status(504), false, 1, errAnswer},
		{"504, with a key", status(504), true, 2, nil},
		{"422", status(422), true, 1, errAnswer},
		{"501", status(501), true, 1, errAnswer},
		{"redirect", status(302, "Location", "/elsewhere"), true, 1, errAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := newStub(t, c.first)
			var options []client.Option
			if c.id {
				options = append(options, client.Idempotent())
			}
			_, err := connect(t, node.URL).Increment(t.Context(), "k", 1, options...)
			var answer *client.Error
			switch {
			case c.want == errAnswer && (!errors.As(err, &answer) || errors.Is(err, client.ErrUnknownOutcome)):
				t.Errorf("%v, want an answer", err)
			case c.want != errAnswer && !errors.Is(err, c.want):
				t.Errorf("%v, want %v", err, c.want)
			}
			seen := node.requests()
			if len(seen) != c.arrives {
				t.Fatalf("%d requests, want %d", len(seen), c.arrives)
			}
			for _, h := range seen {
				if h.Get("Authorization") != "Bearer secret" || (h.Get("Idempotency-Key") != "") != c.id || h.Get("Idempotency-Key") != seen[0].Get("Idempotency-Key") {
					t.Errorf("headers %v", h)
				}
			}
		})
	}
}

// errAnswer stands for any *client.Error.
var errAnswer = errors.New("an answer")

func TestClient_GoesOnToTheNextNodeAndKeepsToIt(t *testing.T) {
	stopping, good := newStub(t, status(503, "Retry-After", "60")), newStub(t)
	c := connect(t, nobody(t), stopping.URL, good.URL)
	for range 3 {
		if _, err := c.Increment(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := len(stopping.requests()), len(good.requests()); a != 1 || b != 3 {
		t.Errorf("%d and %d requests, want 1 and 3", a, b)
	}
}

func TestClient_WaitsAsLongAsTheOnlyNodeAsks(t *testing.T) {
	node := newStub(t, status(503, "Retry-After", "0.2"))
	start := time.Now()
	if _, err := connect(t, node.URL).Increment(t.Context(), "k", 1); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("came back after %v, was asked for 200 ms", took)
	}
}

func TestClient_SaysWhenNobodyIsThereAndWhenTheContextEnded(t *testing.T) {
	if _, err := connect(t, nobody(t)).Increment(t.Context(), "k", 1); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("%v, want ErrUnreachable", err)
	}
	node := newStub(t, status(503, "Retry-After", "60"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := connect(t, node.URL).Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's end", err)
	}
	_, err := client.New(client.Options{Nodes: []string{"ftp://a", "http://b/path"}})
	if err == nil || !strings.Contains(err.Error(), "ftp://a") || !strings.Contains(err.Error(), "/path") {
		t.Errorf("%v does not name both", err)
	}
	if _, err := client.New(client.Options{}); err == nil {
		t.Error("a client without nodes")
	}
	if _, err := client.New(client.Options{Nodes: []string{"a:1"}, Token: "secret\n"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a token that cannot be sent, read with its line break: %v", err)
	}
}

func TestIncrement_TellsTotalLaterAndReplayed(t *testing.T) {
	node := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Prefer") != "return=representation" || r.Header.Get("Durability") != "database" {
			t.Errorf("headers %v", r.Header)
		}
		w.Header().Set("Idempotency-Replayed", "true")
		_, _ = io.WriteString(w, `{"data":{"key":"k","value":-7}}`)
	}, status(202, "Counted", "later"))
	c := connect(t, node.URL)
	got, err := c.Increment(t.Context(), "k", 1, client.WantTotal(), client.WithDurability(client.Database), client.IdempotencyKey("order-1"))
	if want := (client.Added{Total: -7, HasTotal: true, Replayed: true}); err != nil || got != want {
		t.Errorf("%+v (%v)", got, err)
	}
	if got, err := c.Increment(t.Context(), "k", 1); err != nil || !got.Later {
		t.Errorf("%+v (%v)", got, err)
	}
	if _, err := c.Increment(t.Context(), "k", 1, client.IdempotencyKey("a\"b")); err == nil {
		t.Error("an idempotency key that cannot be sent was taken")
	}
}

func TestGet_EscapesWhateverAKeyMayHold(t *testing.T) {
	const key = "a/b ..%?#é"
	node := newStub(t)
	node.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/counters/"+key {
			t.Errorf("path %q", r.URL.Path)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"key": key, "value": 3, "persisted": 2}})
	})
	got, err := connect(t, node.URL).Get(t.Context(), key)
	if err != nil || got.Value != 3 || got.Persisted == nil || *got.Persisted != 2 || got.Stale {
		t.Errorf("%+v (%v)", got, err)
	}
}
