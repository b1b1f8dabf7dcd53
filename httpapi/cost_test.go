package httpapi

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// quickService does next to nothing, so that only the API's own cost is seen.
type quickService struct {
	fakeService
	n int64
}

func (q *quickService) Increment(in node.Increment) (node.Result, error) {
	q.n += in.Delta
	return node.Result{Total: q.n, HasTotal: true}, nil
}

func quickServer(tb testing.TB) (*Server, *quickService) {
	q := new(quickService)
	s, err := New(DefaultConfig(), q, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	return s, q
}

// requestContext returns a request as fasthttp would hand it to the handler.
func requestContext(body string, headers ...string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Init(new(fasthttp.Request), &net.TCPAddr{}, nil)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/api/v1/increment")
	ctx.Request.Header.SetHost("localhost:3333")
	ctx.Request.Header.SetUserAgent("curl/8.0")
	ctx.Request.Header.Set("Accept", "*/*")
	ctx.Request.Header.SetContentType("application/json")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		ctx.Request.Header.Set(name, value)
	}
	ctx.Request.SetBodyString(body)
	return ctx
}

func TestIncrement_AllocatesNothing(t *testing.T) {
	s, q := quickServer(t)
	for name, ctx := range map[string]*fasthttp.RequestCtx{
		"plain":       requestContext(`{"key":"page:1","value":3}`),
		"text":        requestContext(`{ "value": "-9223372036854775808", "key": "ключ" }`),
		"escaped key": requestContext(`{"key":"\u043a\u043b\u044e\u0447","value":3}`),
		"durability":  requestContext(`{"key":"page:1","value":3}`, "Durability: database"),
		"idempotent":  requestContext(`{"key":"page:1","value":3}`, `Idempotency-Key: "0192f7a4-6f3c-7000-8000-000000000001"`),
		"minimal":     requestContext(`{"key":"page:1","value":3}`, "Prefer: return=minimal"),
	} {
		ctx.Response.Reset()
		s.handle(ctx)
		if ctx.Response.StatusCode() != 202 {
			t.Fatalf("%s: %d %s", name, ctx.Response.StatusCode(), ctx.Response.Body())
		}
		before := q.n
		allocs := testing.AllocsPerRun(1000, func() {
			ctx.Response.Reset()
			s.bodyLimit(&ctx.Request.Header)
			s.handle(ctx)
		})
		if q.n == before {
			t.Fatalf("%s: nothing was counted", name)
		}
		// The race detector makes sync.Pool drop buffers at random.
		if allocs > 0 && !raceEnabled {
			t.Errorf("%s: %v allocations for each increment", name, allocs)
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	s, _ := quickServer(b)
	ctx := requestContext(`{"key":"page:1","value":3}`)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(ctx)
	}
}

func BenchmarkScan(b *testing.B) {
	for name, body := range map[string]string{"plain": `{"key":"page:1","value":3}`, "escaped": `{"key":"\u043a\u043b\u044e\u0447","value":3}`} {
		b.Run(name, func(b *testing.B) {
			scratch := make([]byte, 0, 512)
			text := []byte(body)
			for b.Loop() {
				if _, _, ok := scan(text, scratch); !ok {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	text := []byte(`{"key":"page:1","value":3,"other":null}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	s, _ := quickServer(b)
	for b.Loop() {
		s.metrics.observe(1, routeIncrement, 202, 5*time.Microsecond)
	}
}

// requestsConn is a connection on which n requests arrive, each when the one before was answered.
type requestsConn struct {
	net.Conn
	request []byte
	n       int
}

func (c *requestsConn) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	c.n--
	return copy(p, c.request), nil
}

func (c *requestsConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *requestsConn) Close() error                     { return nil }
func (c *requestsConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *requestsConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *requestsConn) SetReadDeadline(time.Time) error  { return nil }
func (c *requestsConn) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkConnection compares all that happens above the system's calls: this API, and a handler of fasthttp that does
// nothing.
func BenchmarkConnection(b *testing.B) {
	text := []byte(post(`{"key":"page:1","value":3}`, "User-Agent: curl/8.0", "Accept: */*", "Content-Type: application/json"))
	b.Run("nothing", func(b *testing.B) {
		s := fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(202) }}
		b.ReportAllocs()
		_ = s.ServeConn(&requestsConn{request: text, n: b.N})
	})
	b.Run("increment", func(b *testing.B) {
		s, _ := quickServer(b)
		b.ReportAllocs()
		s.admitted(&requestsConn{request: text, n: b.N})
	})
}

// admitted serves nc to its end, as Serve does with a connection that it accepted.
func (s *Server) admitted(nc net.Conn) {
	c := newConn(nc, &s.clock)
	s.conns.add(c, 1)
	s.serve(c)
}
