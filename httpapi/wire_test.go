package httpapi

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const increment = `{"key":"k","value":1}`

func TestWire_ReadsChunkedBodies(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	got := h.do("POST /increment HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"6\r\n{\"key\"\r\nf;ext=1\r\n:\"k\",\"value\":1}\r\n0\r\n\r\n")
	if got.StatusCode != 202 || f.total("k") != 1 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	got = h.do("POST /increment HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	if got.StatusCode != 400 || f.counted() != 1 {
		t.Errorf("bad chunk: %d %s", got.StatusCode, got.body)
	}
}

func TestWire_ContinuesWhenAClientExpectsIt(t *testing.T) {
	f := &fakeService{}
	c := start(t, f).dial()
	c.send(fmt.Sprintf("POST /increment HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(increment)))
	if got := c.receive("POST"); got.StatusCode != 100 {
		t.Fatalf("%d before the body, want 100", got.StatusCode)
	}
	c.send(increment)
	if got := c.receive("POST"); got.StatusCode != 202 || f.total("k") != 1 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// "100 Continue" is an answer that is written while a request is read: it must not end the watch over the reading.
func TestWire_EndsAClientThatExpectsToContinueAndDoesNot(t *testing.T) {
	f := &fakeService{}
	c := start(t, f, func(c *Config) { c.ReadTimeout = 50 * time.Millisecond }).dial()
	c.send("POST /increment HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 21\r\n\r\n")
	if got := c.receive("POST"); got.StatusCode != 100 {
		t.Fatalf("%d before the body, want 100", got.StatusCode)
	}
	if got := c.receive("POST"); got.StatusCode != 408 {
		t.Errorf("%d %s, want 408", got.StatusCode, got.body)
	}
	c.ended()
}

func TestWire_AnswersPipelinedRequestsInOrder(t *testing.T) {
	f := &fakeService{}
	c := start(t, f).dial()
	var all strings.Builder
	const n = 200 // more than one read buffer holds
	for i := range n {
		all.WriteString(post(fmt.Sprintf(`{"key":"k","value":%d}`, i), "Prefer: return=representation"))
	}
	go func() { _, _ = io.WriteString(c, all.String()) }() // an error shows as a missing answer
	sum := 0
	for i := range n {
		sum += i
		want := fmt.Sprintf(`{"data":{"key":"k","value":%d}}`, sum)
		if got := c.receive("POST"); got.body != want {
			t.Fatalf("answer %d: %s, want %s", i, got.body, want)
		}
	}
}

func TestWire_GoesOnAfterARefusedRequest(t *testing.T) {
	f := &fakeService{}
	c := start(t, f).dial()
	for _, step := range []struct {
		request string
		status  int
	}{
		{post(`{"key":"k"}`), 422},
		{post(`nonsense`), 400},
		{post(increment), 202},
		{get("/nowhere"), 404},
		{request("PUT", "/increment", increment), 405},
		{post(increment), 202},
		{get("/api/v1/increment/%"), 400},
		{post(increment), 202},
	} {
		c.send(step.request)
		if got := c.receive("POST"); got.StatusCode != step.status {
			t.Fatalf("%q: %d %s, want %d", step.request, got.StatusCode, got.body, step.status)
		}
	}
	if f.total("k") != 3 {
		t.Errorf("total %d, want 3", f.total("k"))
	}
}

func TestWire_SpeaksHTTP10(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	c := h.dial()
	c.send("POST /increment HTTP/1.0\r\nContent-Length: 21\r\n\r\n" + increment)
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("%d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
	c = h.dial()
	for range 2 {
		c.send("POST /increment HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 21\r\n\r\n" + increment)
		if got := c.receive("POST"); got.StatusCode != 202 || got.Header.Get("Connection") != "keep-alive" {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
	}
	if f.total("k") != 3 {
		t.Errorf("total %d, want 3", f.total("k"))
	}
}

func TestWire_ClosesWhenTheClientAsks(t *testing.T) {
	c := start(t, &fakeService{}).dial()
	c.send(post(increment, "Connection: close"))
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("%d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
}

func TestWire_TakesAPostWithoutLengthForEmpty(t *testing.T) {
	f := &fakeService{}
	got := start(t, f).do("POST /increment HTTP/1.1\r\nHost: x\r\n\r\n")
	if got.StatusCode != 422 || !strings.Contains(got.body, blankKey+","+blankVal) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestWire_RefusesWhatIsNoHTTP(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	for _, text := range []string{
		"nonsense\r\n\r\n",
		"POST /increment HTTP/1.1\r\nContent-Length: 21\r\n\r\n" + increment, // no Host
		"POST /increment HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 21\r\n\r\n" + increment,
		"POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\nContent-Length: 20\r\n\r\n" + increment,
		"POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" + increment,
		"POST /increment HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n" + increment,
		"POST /increment HTTP/1.1\r\nHost: x\r\nBad : 1\r\n\r\n",
		"POST /incre\x01ment HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /increment SPDY\r\nHost: x\r\n\r\n",
	} {
		c := h.dial()
		c.send(text)
		got := c.receive("POST")
		if got.StatusCode != 400 || got.body != `{"errors":{"detail":["the request is not valid HTTP/1.1"]}}` || got.Header.Get("Content-Type") != jsonType {
			t.Errorf("%q: %d %s", text, got.StatusCode, got.body)
		}
		c.ended()
	}
	if f.counted() != 0 {
		t.Error("something was counted")
	}
}

func TestLimits_RefuseALargeBodyAndTheClientGetsToReadWhy(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	limit := h.cfg.MaxBodyBytes
	fits := increment + strings.Repeat(" ", limit-len(increment))
	if got := h.do(post(fits)); got.StatusCode != 202 {
		t.Fatalf("a body of exactly the limit: %d %s", got.StatusCode, got.body)
	}
	want := fmt.Sprintf(`{"errors":{"detail":["the body is too large: at most %d bytes"]}}`, limit)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(fits), fits)
	for name, text := range map[string]string{
		"one byte more":  post(fits + " "),
		"three times":    post(fits + fits + fits), // the client is still sending when it is answered
		"chunked":        "POST /increment HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + "0\r\n\r\n",
		"announced only": "POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
	} {
		c := h.dial()
		c.send(text)
		if got := c.receive("POST"); got.StatusCode != 413 || got.body != want {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
		if half, ok := c.Conn.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		c.ended()
	}
	if f.counted() != 1 {
		t.Errorf("%d counted, want 1", f.counted())
	}
}

func TestLimits_RefuseLongHeaders(t *testing.T) {
	h := start(t, &fakeService{})
	limit := h.cfg.MaxHeaderBytes
	if got := h.do(post(increment, "X-A: "+strings.Repeat("a", limit-200))); got.StatusCode != 202 {
		t.Errorf("headers below the limit: %d %s", got.StatusCode, got.body)
	}
	want := fmt.Sprintf(`{"errors":{"detail":["the request line and headers are too long: at most %d bytes"]}}`, limit)
	for _, text := range []string{post(increment, "X-A: "+strings.Repeat("a", limit)), get("/" + strings.Repeat("a", 2*limit))} {
		if got := h.do(text); got.StatusCode != 431 || got.body != want {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
}

func TestLimits_RefuseTheConnectionTooMany(t *testing.T) {
	f := &fakeService{}
	h := start(t, f, func(c *Config) { c.MaxConnections = 2 })
	first, second := h.dial(), h.dial()
	for _, c := range []*client{first, second} {
		c.send(post(increment))
		if got := c.receive("POST"); got.StatusCode != 202 {
			t.Fatalf("%d", got.StatusCode)
		}
	}
	third := h.dial()
	third.send(post(increment))
	got := third.receive("POST")
	if got.StatusCode != 503 || got.body != refusalBody || got.Header.Get("Retry-After") != "1" || !got.Close {
		t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
	}
	third.ended()
	third.Close()
	first.Close()
	eventually(t, "a place becomes free", func() bool { return h.conns.len() < 2 })
	if got := h.do(post(increment)); got.StatusCode != 202 || f.total("k") != 3 {
		t.Errorf("%d, total %d", got.StatusCode, f.total("k"))
	}
}
