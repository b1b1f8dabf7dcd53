package httpapi

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// Clients that send a body which is far too large get to read why it is refused, whichever way they send and look.
func TestLimits_ARealClientReadsTheRefusalOfALargeBody(t *testing.T) {
	ca := certtest.New(t)
	source, _ := certificate(t, ca)
	plain, secure := start(t, &fakeService{}), start(t, &fakeService{}, func(c *Config) { c.TLS = source.Server() })
	for _, size := range []int{1 << 20, 10 << 20, 100 << 20} {
		body := bytes.Repeat([]byte(" "), size)
		for name, c := range map[string]struct {
			url    string
			expect bool
			hidden bool // the length of the body
		}{
			"plain":                {"http://" + plain.addr, false, false},
			"chunked":              {"http://" + plain.addr, false, true},
			"plain with Expect":    {"http://" + plain.addr, true, false},
			"TLS":                  {"https://" + secure.addr, false, false},
			"TLS with Expect":      {"https://" + secure.addr, true, false},
			"a batch, with Expect": {"http://" + plain.addr + many, true, false},
		} {
			if c.url == "http://"+plain.addr+many && size <= plain.cfg.MaxBatchBytes {
				continue
			}
			if !strings.HasSuffix(c.url, many) {
				c.url += "/api/v1/increment"
			}
			sent := &sentBytes{Reader: bytes.NewReader(body)}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, io.NopCloser(sent))
			if err != nil {
				t.Fatal(err)
			}
			if req.ContentLength = int64(size); c.hidden {
				req.ContentLength = -1
			}
			if c.expect {
				req.Header.Set("Expect", "100-continue")
			}
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, ExpectContinueTimeout: patience, DisableKeepAlives: true,
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Errorf("%s, %d bytes: %v", name, size, err)
				continue
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), "the body is too large: at most ") {
				t.Errorf("%s, %d bytes: %d %s %v", name, size, resp.StatusCode, text, err)
			}
			if c.expect && sent.n != 0 {
				t.Errorf("%s, %d bytes: it was told to go on, and sent %d", name, size, sent.n)
			}
		}
	}
}

// sentBytes counts what is read of it.
type sentBytes struct {
	io.Reader
	n int
}

func (s *sentBytes) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.n += n
	return n, err
}

// The simplest of clients sends everything, and then looks for the answer.
func TestLimits_AClientThatSendsEverythingFirstReadsTheRefusal(t *testing.T) {
	h := start(t, &fakeService{})
	for _, size := range []int{1 << 20, 10 << 20, 100 << 20} {
		c := h.dial()
		c.send(fmt.Sprintf("POST /increment HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size))
		if n, err := c.Write(make([]byte, size)); err != nil {
			t.Errorf("%d bytes: %d sent: %v", size, n, err)
		}
		if got := c.receive("POST"); got.StatusCode != 413 || !got.Close {
			t.Errorf("%d bytes: %d, closes %v", size, got.StatusCode, got.Close)
		}
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		c.ended()
	}
}

func TestFarewell_EndsAtEachOfItsBounds(t *testing.T) {
	for name, c := range map[string]struct {
		f     farewell
		write bool // all the time
	}{
		"silence": {farewell{pause: 20 * time.Millisecond, total: time.Hour, bytes: 1 << 40}, false},
		"time":    {farewell{pause: time.Hour, total: 50 * time.Millisecond, bytes: 1 << 40}, true},
		"bytes":   {farewell{pause: time.Hour, total: time.Hour, bytes: 3 << 20}, true},
	} {
		here, there := net.Pipe()
		_ = there.SetDeadline(time.Now().Add(patience))
		wrote := make(chan error, 1)
		go func() {
			var err error
			for c.write && err == nil {
				_, err = there.Write(make([]byte, 64<<10))
			}
			wrote <- err
		}()
		c.f.read(here)
		_ = here.Close()
		if err := <-wrote; c.write && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: the other end was stopped by %v", name, err)
		}
		_ = there.Close()
	}
}
