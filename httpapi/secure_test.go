package httpapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// certificate returns a certificate for 127.0.0.1, and a function that replaces its files.
func certificate(t *testing.T, ca *certtest.CA) (source *certs.Source, replace func() *x509.Certificate) {
	t.Helper()
	dir := t.TempDir()
	f := certs.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	replace = func() *x509.Certificate { return ca.Issue(t, f.Cert, f.Key, certtest.Leaf{}) }
	replace()
	source, err := certs.Load("http", f)
	if err != nil {
		t.Fatal(err)
	}
	return source, replace
}

// dialTLS connects as a client that verifies, and returns the certificate that it was shown.
func (h *harness) dialTLS(ca *certtest.CA) (*client, *x509.Certificate) {
	h.t.Helper()
	c := h.dial()
	secure := tls.Client(c.Conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"})
	if err := secure.Handshake(); err != nil {
		h.t.Fatal(err)
	}
	return &client{Conn: secure, t: h.t, r: bufio.NewReader(secure)}, secure.ConnectionState().PeerCertificates[0]
}

func TestTLS_ServesAsWithout(t *testing.T) {
	ca, f := certtest.New(t), &fakeService{}
	source, _ := certificate(t, ca)
	h := start(t, f, func(c *Config) { c.TLS = source.Server() })
	c, _ := h.dialTLS(ca)
	c.send(strings.Repeat(post(increment), 3)) // pipelined
	for range 3 {
		if got := c.receive("POST"); got.StatusCode != 202 {
			t.Fatalf("status %d", got.StatusCode)
		}
	}
	big := post(`{"key": "k", "value": 1, "more": "` + strings.Repeat("x", 100_000) + `"}`)
	c.send(big)
	if got := c.receive("POST"); got.StatusCode != 413 || !got.Close {
		t.Errorf("too large: %d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
	c, _ = h.dialTLS(ca)
	h.Drain()
	c.send(post(increment))
	if got := c.receive("POST"); got.StatusCode != 202 || !got.Close {
		t.Errorf("draining: %d, closes %v", got.StatusCode, got.Close)
	}
	c.ended()
	idle, _ := h.dialTLS(ca)
	h.shutdown()
	idle.ended()
	if f.total("k") != 4 {
		t.Errorf("counted %d, want 4", f.total("k"))
	}
}

func TestTLS_EndsWhoDoesNotShakeHands(t *testing.T) {
	ca, f := certtest.New(t), &fakeService{}
	source, _ := certificate(t, ca)
	h := start(t, f, func(c *Config) { c.TLS, c.ReadTimeout = source.Server(), 50*time.Millisecond })
	plain := h.dial()
	plain.send(post(increment))
	if rest, _ := io.ReadAll(plain.r); strings.Contains(string(rest), "202") {
		t.Errorf("served without TLS: %q", rest)
	}
	silent := h.dial()
	if rest, _ := io.ReadAll(silent.r); len(rest) > 0 {
		t.Errorf("said %q to a silent client", rest)
	}
	eventually(t, "both are counted", func() bool { return h.metrics.noTLS.Get() == 2 })
	if f.total("k") != 0 {
		t.Error("counted without TLS")
	}
}

func TestTLS_TellsWhoIsTooManySo(t *testing.T) {
	ca := certtest.New(t)
	source, _ := certificate(t, ca)
	h := start(t, &fakeService{}, func(c *Config) { c.TLS, c.MaxConnections = source.Server(), 1 })
	first, _ := h.dialTLS(ca)
	defer first.Close()
	second, _ := h.dialTLS(ca)
	if got := second.receive("GET"); got.StatusCode != 503 {
		t.Errorf("status %d", got.StatusCode)
	}
}

// Old connections go on, and new handshakes see the new certificate.
func TestTLS_ShowsANewCertificateWithoutEndingConnections(t *testing.T) {
	ca := certtest.New(t)
	source, replace := certificate(t, ca)
	h := start(t, &fakeService{}, func(c *Config) { c.TLS = source.Server() })
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { source.Watch(ctx, time.Millisecond, slog.New(slog.DiscardHandler)) })
	defer all.Wait()
	defer cancel()

	before, first := h.dialTLS(ca)
	second := replace()
	var after *client
	eventually(t, "the new certificate is shown", func() bool {
		c, shown := h.dialTLS(ca)
		if shown.Equal(second) {
			after = c
			return true
		}
		if !shown.Equal(first) {
			t.Fatal("a third certificate")
		}
		_ = c.Close()
		return false
	})
	for what, c := range map[string]*client{"old": before, "new": after} {
		c.send(post(increment))
		if got := c.receive("POST"); got.StatusCode != 202 || got.Close {
			t.Errorf("the %s connection: %d", what, got.StatusCode)
		}
	}
}
