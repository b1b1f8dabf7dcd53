package bench

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// These end by themselves: the clock of the Date header, and for each stopped server of a test the cleaner of its
		// idle workers, up to ten seconds later.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// eventually polls until ok, and fails the test when that takes too long.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		pause(time.Millisecond)
	}
}

// pause is how a server of the tests takes its time.
func pause(d time.Duration) { <-time.After(d) }

// sums are the counters behind one or several test servers.
type sums struct {
	mu     sync.Mutex
	values map[string]int64
}

func newSums() *sums { return &sums{values: map[string]int64{}} }

func (s *sums) add(key string, n int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] += n
	return s.values[key]
}

func (s *sums) total() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		n += v
	}
	return n
}

// node is a counter service as the generator sees one. Its faults are what a test puts into before and after.
type node struct {
	t      *testing.T
	sums   *sums
	addr   string
	server *fasthttp.Server // nil: does not run
	secure *tls.Config      // nil: without TLS
	ln     net.Listener
	served chan error

	ready    atomic.Bool
	draining atomic.Bool // each response closes its connection
	requests atomic.Int64
	// before, unless nil, sees each increment first, with its number from 1. True: it has answered, nothing is counted.
	before func(ctx *fasthttp.RequestCtx, number int64) bool
	// after, unless nil, sees the response to an increment that was counted.
	after func(ctx *fasthttp.RequestCtx, number int64)
	// read, unless nil, answers for a total. True: that was the answer.
	read func(ctx *fasthttp.RequestCtx, key string, total int64) bool
	// item, unless nil, says how an item of a batch, counted from 0, is answered; nothing is counted from 300 on.
	item func(at int) (status int, more string)
}

// newNode does not listen yet.
func newNode(t *testing.T, s *sums) *node {
	return &node{t: t, sums: s, addr: "127.0.0.1:0"}
}

// startNode starts a node that is stopped with the test.
func startNode(t *testing.T, s *sums) *node {
	n := newNode(t, s)
	n.start()
	t.Cleanup(n.stop)
	return n
}

// start listens on the node's address, which does not change over restarts.
func (n *node) start() {
	n.t.Helper()
	ln, err := net.Listen("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.ln, n.addr = ln, ln.Addr().String()
	if n.secure != nil {
		ln = tls.NewListener(ln, n.secure)
	}
	n.server = &fasthttp.Server{Handler: n.handle, IdleTimeout: 10 * time.Second, Logger: quiet{}}
	n.served = make(chan error, 1)
	n.draining.Store(false)
	n.ready.Store(true)
	go func(s *fasthttp.Server) { n.served <- s.Serve(ln) }(n.server)
}

// stop ends the node, if it runs, without regard for anybody.
func (n *node) stop() {
	if n.server == nil {
		return
	}
	_ = n.server.Shutdown()
	_ = n.ln.Close() // Shutdown does nothing when Serve has not come as far as to know the listener
	<-n.served
	n.server = nil
}

// drain ends the node as a good server does: not ready, closing each connection with a response, gone when nobody is left.
func (n *node) drain() {
	n.t.Helper()
	n.ready.Store(false)
	n.draining.Store(true)
	eventually(n.t, "workers left", func() bool { return n.server.GetOpenConnectionsCount() == 0 })
	n.stop()
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func (n *node) handle(ctx *fasthttp.RequestCtx) {
	const path = "/api/v1/increment"
	if n.draining.Load() {
		ctx.SetConnectionClose()
	}
	uri := string(ctx.Request.Header.RequestURI())
	switch {
	case uri == "/readyz" && !n.ready.Load():
		ctx.SetStatusCode(503)
	case uri == "/readyz":
	case uri == path && ctx.IsPost():
		n.increment(ctx)
	case uri == path+"s" && ctx.IsPost():
		n.incrementMany(ctx)
	case strings.HasPrefix(uri, path+"/") && ctx.IsGet():
		key, err := url.PathUnescape(strings.TrimPrefix(uri, path+"/"))
		if err != nil {
			ctx.SetStatusCode(400)
			return
		}
		if total := n.sums.add(key, 0); n.read == nil || !n.read(ctx, key, total) {
			n.writeTotal(ctx, total)
		}
	default:
		ctx.SetStatusCode(404)
	}
}

func (n *node) writeTotal(ctx *fasthttp.RequestCtx, total int64) {
	b, _ := json.Marshal(map[string]any{"data": map[string]any{"value": total}})
	ctx.SetBody(b)
}

func (n *node) increment(ctx *fasthttp.RequestCtx) {
	number := n.requests.Add(1)
	if n.before != nil && n.before(ctx, number) {
		return
	}
	var body struct {
		Key   string
		Value int64
	}
	if err := json.Unmarshal(ctx.Request.Body(), &body); err != nil {
		ctx.SetStatusCode(400)
		return
	}
	total := n.sums.add(body.Key, body.Value)
	ctx.SetStatusCode(202)
	if string(ctx.Request.Header.Peek("Prefer")) == "return=representation" {
		ctx.SetStatusCode(200)
		n.writeTotal(ctx, total)
	}
	if n.after != nil {
		n.after(ctx, number)
	}
}

func (n *node) incrementMany(ctx *fasthttp.RequestCtx) {
	number := n.requests.Add(1)
	if n.before != nil && n.before(ctx, number) {
		return
	}
	var items []struct {
		Key   string
		Value int64
	}
	if err := json.Unmarshal(ctx.Request.Body(), &items); err != nil {
		ctx.SetStatusCode(400)
		return
	}
	var answers []string
	for i, it := range items {
		status, more := 202, ""
		if n.item != nil {
			status, more = n.item(i)
		}
		if status < 300 {
			n.sums.add(it.Key, it.Value)
		}
		answers = append(answers, fmt.Sprintf(`{"status":%d%s}`, status, more))
	}
	ctx.SetBodyString("[" + strings.Join(answers, ",") + "]")
	if n.after != nil {
		n.after(ctx, number)
	}
}

// testOptions are quick, and verify.
func testOptions(nodes ...*node) Options {
	o := DefaultOptions()
	o.Targets = nil
	for _, n := range nodes {
		o.Targets = append(o.Targets, n.addr)
	}
	o.Connections = 8
	o.Requests = 2000
	o.Keys = 50
	o.ProbeInterval = 10 * time.Millisecond
	o.VerifyTimeout = 5 * time.Second
	o.Verify = true
	return o
}

// mustRun runs and wants neither an error nor a wrong total.
func mustRun(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if o.Verify && !r.Verify.OK {
		t.Errorf("verification failed: %+v", r.Verify)
	}
	return r
}

// serveRaw lets handle speak on each connection to the address it returns. Probes are answered.
func serveRaw(t *testing.T, handle func(net.Conn, *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer func() { _ = c.Close() }()
				br := bufio.NewReader(c)
				if head, _ := br.Peek(4); string(head) == "GET " {
					_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
					return
				}
				handle(c, br)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		open.Wait()
	})
	return ln.Addr().String()
}
