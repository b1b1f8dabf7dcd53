package bench

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestResponse_ReadsWhatACounterServiceSends(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want response
		body string
	}{
		"accepted":           {"HTTP/1.1 202 Accepted\r\nServer: x\r\nContent-Length: 0\r\n\r\n", response{status: 202}, ""},
		"no reason":          {"HTTP/1.1 202\r\nContent-Length: 0\r\n\r\n", response{status: 202}, ""},
		"body":               {"HTTP/1.1 200 OK\r\ncontent-length:  5 \r\n\r\nhello", response{status: 200, length: 5}, "hello"},
		"bare newlines":      {"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", response{status: 200, length: 2}, "hi"},
		"close":              {"HTTP/1.1 202 A\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", response{status: 202, close: true}, ""},
		"close in a list":    {"HTTP/1.1 202 A\r\nCONNECTION: x, CLOSE\r\nContent-Length: 0\r\n\r\n", response{status: 202, close: true}, ""},
		"later":              {"HTTP/1.1 202 A\r\nCounted: later\r\nContent-Length: 0\r\n\r\n", response{status: 202, later: true}, ""},
		"counted otherwise":  {"HTTP/1.1 202 A\r\nCounted: now\r\nContent-Length: 0\r\n\r\n", response{status: 202}, ""},
		"no content":         {"HTTP/1.1 204 No Content\r\n\r\n", response{status: 204, length: -1}, ""},
		"continue first":     {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n", response{status: 202}, ""},
		"old version":        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", response{status: 200, close: true}, ""},
		"old but stays":      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", response{status: 200}, ""},
		"similar names":      {"HTTP/1.1 202 A\r\nContent-Type: close\r\nConnection-X: close\r\nContent-Length: 0\r\n\r\n", response{status: 202}, ""},
		"body that is large": {"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000), response{status: 200, length: 20000}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			next := "HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"
			br := bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(c.wire+next)), readBuffer)
			var got response
			if err := got.read(br); err != nil {
				t.Fatal(err)
			}
			if string(got.body) != c.body {
				t.Errorf("body %q", got.body)
			}
			if got.body = nil; got.status != c.want.status || got.close != c.want.close || got.later != c.want.later || got.length != c.want.length {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if err := got.read(br); err != nil || got.status != 299 {
				t.Errorf("the next response: %+v, %v", got, err)
			}
			if err := got.read(br); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestResponse_SaysThatItIsCutOff(t *testing.T) {
	const wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	for n := 1; n < len(wire); n++ {
		var r response
		if err := r.read(bufio.NewReader(strings.NewReader(wire[:n]))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", wire[:n], err)
		}
	}
}

func TestResponse_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, wire := range []string{
		"HTTP/2 200 OK\r\n\r\n",
		"220 mail.example.test\r\n",
		"\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1 999 OK\r\n\r\n",
		"HTTP/1.1 000 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", readBuffer) + "\r\n\r\n",
	} {
		var r response
		if err := r.read(bufio.NewReaderSize(strings.NewReader(wire), readBuffer)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%.60q: %v, %+v", wire, err, r)
		}
	}
}

// endless repeats a response for ever.
type endless struct {
	wire string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.wire[e.at:])
	e.at = (e.at + n) % len(e.wire)
	return n, nil
}

func TestResponse_AllocatesNothing(t *testing.T) {
	br := bufio.NewReaderSize(&endless{wire: "HTTP/1.1 202 Accepted\r\nServer: x\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"}, readBuffer)
	var r response
	if n := testing.AllocsPerRun(1000, func() { _ = r.read(br) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkResponse(b *testing.B) {
	br := bufio.NewReaderSize(&endless{wire: "HTTP/1.1 202 Accepted\r\nServer: fasthttp\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n"}, readBuffer)
	var r response
	for b.Loop() {
		if err := r.read(br); err != nil {
			b.Fatal(err)
		}
	}
}
