package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. Nothing waits that long unless it fails.
const patience = 10 * time.Second

// harness is a server on a real listener.
type harness struct {
	*Server
	t    *testing.T
	addr string
	logs *logBuffer
	done chan error // the result of Serve
	stop sync.Once
}

// start serves f on loopback until the test ends.
func start(t *testing.T, f Service, change ...func(*Config)) *harness {
	t.Helper()
	cfg := DefaultConfig()
	for _, c := range change {
		c(&cfg)
	}
	logs := new(logBuffer)
	s, err := New(cfg, f, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{Server: s, t: t, addr: ln.Addr().String(), logs: logs, done: make(chan error, 1)}
	go func() { h.done <- s.Serve(ln) }()
	t.Cleanup(h.shutdown)
	eventually(t, "the listener is served", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.mu.listeners) == 1
	})
	return h
}

// shutdown ends the server and checks that Serve returns nil.
func (h *harness) shutdown() {
	h.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			h.t.Errorf("Shutdown: %v", err)
		}
		if err := <-h.done; err != nil {
			h.t.Errorf("Serve: %v", err)
		}
	})
}

// client is one connection to a server.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func (h *harness) dial() *client {
	h.t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &client{Conn: nc, t: h.t, r: bufio.NewReader(nc)}
}

// send writes text as it stands.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// receive reads one response to a request of the given method.
func (c *client) receive(method string) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return answer{resp, string(body)}
}

// ended waits for the end of the connection and fails when anything else comes. A reset is no end: on its way it can
// destroy an answer that was sent before.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		c.t.Errorf("the connection should end, but %q came (%v)", rest, err)
	}
}

// do sends one request on a connection of its own and returns the answer.
func (h *harness) do(request string) answer {
	h.t.Helper()
	c := h.dial()
	defer c.Close()
	c.send(request)
	method, _, _ := strings.Cut(request, " ")
	return c.receive(method)
}

// post returns the text of an increment, with further header lines ("Prefer: x").
func post(body string, headers ...string) string {
	return request("POST", "/api/v1/increment", body, headers...)
}

func get(path string) string { return request("GET", path, "") }

func request(method, path, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n", method, path)
	for _, line := range headers {
		b.WriteString(line + "\r\n")
	}
	if body != "" || method == "POST" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// eventually polls until ok, and fails the test when that takes too long: a server tells nobody of what it does inside.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
