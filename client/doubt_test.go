package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// With a key an increment is sent again after a lost answer. When no repeat is accepted, the first may still count, whatever
// the last answer was.
func TestIncrement_StaysUnknownWhenARepeatFailsAfterALostAnswer(t *testing.T) {
	for name, last := range map[string]func(http.ResponseWriter, *http.Request){
		"503": status(503), "429": status(429), "500": status(500), "422": status(422), "501": status(501), "lost": lose,
	} {
		for _, first := range []struct {
			name string
			do   func(http.ResponseWriter, *http.Request)
		}{{"lost", lose}, {"500", status(500)}, {"504", status(504)}, {"timeout", hang}} {
			// net/http repeats on its own what was lost on a connection in use: there are more answers than attempts.
			_, err := connect(t, newStub(t, first.do, last, last, last, last, last, last).URL).Increment(t.Context(), "k", 1, client.Idempotent())
			if !errors.Is(err, client.ErrUnknownOutcome) {
				t.Errorf("%s, then %s: %v, want ErrUnknownOutcome", first.name, name, err)
			}
		}
	}
	// A repeat that is accepted clears it, and so does one that is held.
	node := newStub(t, lose, status(504), status(504), status(504))
	var answer *client.Error
	if _, err := connect(t, node.URL).Increment(t.Context(), "k", 1, client.Idempotent()); errors.Is(err, client.ErrUnknownOutcome) || !errors.As(err, &answer) || answer.Status != 504 {
		t.Errorf("lost, then held: %v", err)
	}
}

// losing is a node that takes one request, reads it, and is gone: its connection and its listener are closed.
func losing(t *testing.T) *stub {
	var node *stub
	node = newStub(t, status(202), func(http.ResponseWriter, *http.Request) {
		_ = node.Listener.Close()
		panic(http.ErrAbortHandler)
	})
	return node
}

// net/http sends what has an Idempotency-Key again by itself when a connection that it had used before breaks; then the dial
// fails, and that dial is not all that happened.
func TestIncrement_IsUnknownWhenTheNodeThatHadItCannotBeReachedAnyMore(t *testing.T) {
	c := connect(t, losing(t).URL)
	if _, err := c.Increment(t.Context(), "k", 1); err != nil { // from now on the connection is a used one
		t.Fatal(err)
	}
	if _, err := c.Increment(t.Context(), "k", 1, client.Idempotent()); !errors.Is(err, client.ErrUnknownOutcome) || errors.Is(err, client.ErrUnreachable) {
		t.Errorf("%v, want ErrUnknownOutcome, and not ErrUnreachable, which promises that nothing was counted", err)
	}
}

func TestIncrement_SaysUnknownAndWhyTheContextEndedAfterALostAnswer(t *testing.T) {
	node := newStub(t, lose, status(503, "Retry-After", "60"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := connect(t, node.URL).Increment(ctx, "k", 1, client.Idempotent())
	if !errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want both", err)
	}
	if _, err := connect(t, node.URL).Get(ctx, "k"); errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connect(t, node.URL).Increment(gone, "k", 1); errors.Is(err, client.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
		t.Errorf("it was never sent: %v", err)
	}
}

// A proxy's 503 or 504 does not say what a node's says: the node behind it may have counted.
func TestIncrement_IsUnknownAfterAProxysAnswer(t *testing.T) {
	for _, code := range []int{502, 503, 504} {
		node := newStub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "<html>upstream</html>", code)
		})
		if _, err := connect(t, node.URL).Increment(t.Context(), "k", 1); !errors.Is(err, client.ErrUnknownOutcome) || len(node.requests()) != 1 {
			t.Errorf("%d: %v after %d requests, want ErrUnknownOutcome after one", code, err, len(node.requests()))
		}
	}
	// Nobody holds a command: a node's 504 leaves it in doubt.
	if _, err := connect(t, newStub(t, status(504)).URL).Increment(t.Context(), "k", 1, client.Max(5)); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("with a bound: %v", err)
	}
	if _, err := connect(t, newStub(t, status(504)).URL).Set(t.Context(), "k", 1); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("set: %v", err)
	}
}

// off is a transport to nodes of which one is powered off: no packet to it is ever answered.
func off(host string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == host {
			<-ctx.Done()
			return nil, ctx.Err() // as a dialer without a Timeout of its own: no net.OpError
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
}

func TestIncrement_GoesOnWhenANodeIsPoweredOff(t *testing.T) {
	const dark = "192.0.2.1:3333"
	good := newStub(t)
	transport := off(dark)
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(client.Options{
		Nodes: []string{dark, good.URL}, HTTP: &http.Client{Transport: transport}, Timeout: 50 * time.Millisecond, Backoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Increment(t.Context(), "k", 1); err != nil || len(good.requests()) != 1 {
		t.Errorf("%v after %d requests", err, len(good.requests()))
	}
	alone, err := client.New(client.Options{Nodes: []string{dark}, HTTP: &http.Client{Transport: transport}, Timeout: 50 * time.Millisecond, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alone.Increment(t.Context(), "k", 1); !errors.Is(err, client.ErrUnreachable) || errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("%v, want ErrUnreachable: nothing was sent", err)
	}
}

// A node that takes connections and does not answer costs one call its answer, and not the next one.
func TestClient_BeginsWithAnotherNodeAfterOneThatDidNotAnswer(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"the attempt's time was up": time.Minute, "the call's time was up": 50 * time.Millisecond} {
		paused, good := newStub(t, hang, hang), newStub(t)
		c := connect(t, paused.URL, good.URL)
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		if _, err := c.Increment(ctx, "k", 1); !errors.Is(err, client.ErrUnknownOutcome) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		for range 2 {
			if _, err := c.Increment(t.Context(), "k", 1); err != nil {
				t.Errorf("%s: the next call: %v", name, err)
			}
		}
		if a, b := len(paused.requests()), len(good.requests()); a != 1 || b != 2 {
			t.Errorf("%s: %d and %d requests, want 1 and 2", name, a, b)
		}
	}
}

// HTTP/2 tells on its own ways how far a request got.
func TestIncrement_IsUnknownWhenItsAnswerIsLostOverHTTP2(t *testing.T) {
	node := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("%s, the test wants HTTP/2", r.Proto)
		}
		hang(nil, r)
	}))
	node.EnableHTTP2 = true
	node.Config.ErrorLog = log.New(io.Discard, "", 0)
	node.StartTLS()
	defer node.Close()
	c, err := client.New(client.Options{Nodes: []string{node.URL}, HTTP: node.Client(), Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Increment(t.Context(), "k", 1); !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("%v, want ErrUnknownOutcome", err)
	}
	stranger := &http.Transport{TLSClientConfig: &tls.Config{ServerName: "elsewhere"}}
	c, err = client.New(client.Options{Nodes: []string{node.URL}, HTTP: &http.Client{Transport: stranger}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Increment(t.Context(), "k", 1); !errors.Is(err, client.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v, want ErrUnreachable and why", err)
	}
}
