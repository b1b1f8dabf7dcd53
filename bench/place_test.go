package bench

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// startSecure starts a node that serves https with a certificate of the authority.
func startSecure(t *testing.T, s *sums, ca *certtest.CA) *node {
	t.Helper()
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	ca.Issue(t, cert, key, certtest.Leaf{})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, s)
	n.secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	n.start()
	t.Cleanup(n.stop)
	return n
}

func TestRun_LoadsNodesThatServeHTTPS(t *testing.T) {
	s, ca := newSums(), certtest.New(t)
	secure, plain := startSecure(t, s, ca), startNode(t, s)
	o := testOptions(secure, plain)
	o.Targets[0] = "https://" + secure.addr
	o.TLS = &tls.Config{RootCAs: ca.Pool()}
	o.Verify, o.Pipeline = true, 4
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Verify.OK || r.Answered != o.Requests || r.Failed != 0 || secure.requests.Load() == 0 || plain.requests.Load() == 0 {
		t.Errorf("%+v, verify %+v", r, r.Verify)
	}
	if r.ResentAfterClose != 0 || r.DialRetries != 0 {
		t.Errorf("connections that work are made again: %+v", r)
	}
}

// A connection that rests is neither given up while it is good nor used when the server has closed it.
func TestConn_OfHTTPSIsStaleWhenTheServerClosedIt(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	at := Options{Targets: []string{server.URL}, TLS: &tls.Config{RootCAs: roots}}.places()[0]
	c, err := dial(t.Context(), at, 0, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.net.Close() }()
	if err := askReady(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	rested := time.Now().Add(time.Hour)
	if c.stale(rested) {
		t.Error("it is taken for closed")
	}
	server.CloseClientConnections()
	eventually(t, "the end is seen", func() bool { return c.stale(rested) })
}

func TestRun_SaysWhomItDoesNotTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	o := testOptions()
	o.Targets, o.ReadyTimeout, o.Verify = []string{server.URL}, 100*time.Millisecond, false
	o.TLS = &tls.Config{RootCAs: certtest.New(t).Pool()}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
}
