package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

const nodeName = "pinocchio-peer"

// in returns the paths of files in a new folder.
func in(t *testing.T, ca *certtest.CA) Files {
	t.Helper()
	dir := t.TempDir()
	return Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: ca.File}
}

// shake does one handshake over loopback, then sends one byte each way, and returns both sides' errors and what the client saw.
func shake(t *testing.T, server, client *tls.Config) (leaf *x509.Certificate, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var side sync.WaitGroup
	side.Go(func() {
		nc, err := ln.Accept()
		if err != nil {
			serverErr = err
			return
		}
		c := tls.Server(nc, server)
		defer func() { _ = c.Close() }()
		_, serverErr = io.CopyN(c, c, 1)
	})
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(nc, client)
	if _, clientErr = c.Write([]byte{1}); clientErr == nil {
		_, clientErr = io.ReadFull(c, make([]byte, 1)) // with TLS 1.3 only this tells whether the server took the certificate
		leaf = c.ConnectionState().PeerCertificates[0]
	}
	_ = c.Close()
	side.Wait()
	return leaf, serverErr, clientErr
}

func TestLoad_NamesWhatIsWrong(t *testing.T) {
	ca, other := certtest.New(t), certtest.New(t)
	for _, c := range []struct {
		what   string
		spoil  func(f *Files)
		says   string
		public bool // wrong for clients' connections as well
	}{
		{"no certificate", func(f *Files) { _ = os.Remove(f.Cert) }, "read the certificate: ", true},
		{"no key", func(f *Files) { _ = os.Remove(f.Key) }, "read the certificate's key: ", true},
		{"another key", func(f *Files) { g := in(t, ca); ca.Issue(t, g.Cert, g.Key, certtest.Leaf{}); f.Key = g.Key }, "does not match", true},
		{"no PEM", func(f *Files) { _ = os.WriteFile(f.Cert, []byte("text"), 0o600) }, "certificate ", true},
		{"the files are exchanged", func(f *Files) { f.Cert, f.Key = f.Key, f.Cert }, "certificate ", true},
		{"no authorities", func(f *Files) { f.CA = filepath.Join(filepath.Dir(f.Cert), "none") }, "read the authorities: ", false},
		{"authorities without a certificate", func(f *Files) { f.CA = f.Key }, "holds no certificate", false},
		{"another authority", func(f *Files) { f.CA = other.File }, "unknown authority", false},
		{"another name", func(f *Files) { ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{"other"}}) }, "not pinocchio-peer", false},
		{"only to be called", func(f *Files) {
			ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{nodeName}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		}, "to call (clientAuth)", false},
		{"only to call", func(f *Files) {
			ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{nodeName}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		}, "to be called (serverAuth)", false},
		{"over", func(f *Files) {
			ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{nodeName}, Ends: time.Now().Add(-time.Minute)})
		}, "expired", false},
	} {
		f := in(t, ca)
		ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{nodeName}})
		if _, err := LoadMutual("peer", f, nodeName); err != nil {
			t.Fatal(err)
		}
		c.spoil(&f)
		if _, err := LoadMutual("peer", f, nodeName); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, between nodes: %v", c.what, err)
		}
		if _, err := Load("http", f); (err != nil) != c.public || c.public && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, for clients: %v", c.what, err)
		}
	}
	if _, err := LoadMutual("peer", in(t, ca), ""); err == nil {
		t.Error("taken without a name")
	}
}

// R13: a node talks to no one whose certificate is not of the cluster, whichever side begins.
func TestMutual_RefusesWhoHasNoCertificateOfTheCluster(t *testing.T) {
	ca, foreign := certtest.New(t), certtest.New(t)
	mutual := func(signer *certtest.CA, name string) Mutual {
		t.Helper()
		f := in(t, signer)
		signer.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{name}})
		m, err := LoadMutual("peer", f, name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	node, twin := mutual(ca, nodeName), mutual(ca, nodeName)
	blind := func(c *tls.Config) *tls.Config { c.InsecureSkipVerify = true; return c } // looks only at what the other side refuses
	for _, c := range []struct {
		what           string
		server, client *tls.Config
		good           bool
	}{
		{"another node", twin.Server(), node.Client(), true},
		{"a client without a certificate", node.Server(), blind(&tls.Config{}), false},
		{"a client with a foreign one", node.Server(), blind(mutual(foreign, nodeName).Client()), false},
		{"a client with one for another service", node.Server(), blind(mutual(ca, "other").Client()), false},
		{"a client that speaks TLS 1.2", node.Server(), func() *tls.Config {
			c := node.Client()
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return c
		}(), false},
		{"a server with a foreign one", mutual(foreign, nodeName).Server(), node.Client(), false},
		{"a server with one for another service", mutual(ca, "other").Server(), node.Client(), false},
	} {
		_, serverErr, clientErr := shake(t, c.server, c.client)
		if c.good != (serverErr == nil) || c.good != (clientErr == nil) {
			t.Errorf("%s: the server says %v, the client %v", c.what, serverErr, clientErr)
		}
	}
}

func TestServer_TakesTLS12AndNothingOlder(t *testing.T) {
	ca := certtest.New(t)
	f := in(t, ca)
	ca.Issue(t, f.Cert, f.Key, certtest.Leaf{})
	s, err := Load("http", f)
	if err != nil {
		t.Fatal(err)
	}
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, _, err := shake(t, s.Server(), &tls.Config{
			RootCAs: ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS10, MaxVersion: version,
		})
		if (err == nil) != good {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

// journal keeps log lines and tells when there is a new one.
type journal struct{ lines chan string }

func (j *journal) Write(b []byte) (int, error) {
	j.lines <- string(b)
	return len(b), nil
}

func (j *journal) next(t *testing.T, says string) {
	t.Helper()
	select {
	case line := <-j.lines:
		if !strings.Contains(line, says) {
			t.Fatalf("logged %s", line)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("never logged %q", says)
	}
}

func TestWatch_ShowsANewCertificateAndKeepsTheOldOneWhenTheNewDoesNotLoad(t *testing.T) {
	ca, foreign := certtest.New(t), certtest.New(t)
	f := in(t, ca)
	leaf := certtest.Leaf{Names: []string{nodeName}}
	first := ca.Issue(t, f.Cert, f.Key, leaf)
	m, err := LoadMutual("peer", f, nodeName)
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{lines: make(chan string, 10)}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { m.Watch(ctx, time.Millisecond, slog.New(slog.NewTextHandler(log, nil))) })
	shows := func(want *x509.Certificate) {
		t.Helper()
		got, serverErr, clientErr := shake(t, m.Server(), m.Client())
		if err := errors.Join(serverErr, clientErr); err != nil || !got.Equal(want) {
			t.Fatalf("another certificate, or %v", err)
		}
		if !m.Expiry().Equal(want.NotAfter) {
			t.Errorf("expires %v, want %v", m.Expiry(), want.NotAfter)
		}
	}
	shows(first)
	certtest.Write(t, f.Cert, "CERTIFICATE", []byte("torn"))
	log.next(t, "cannot be used")
	shows(first)
	leaf.Ends = time.Now().Add(30 * time.Minute)
	g := in(t, ca)
	second := ca.Issue(t, g.Cert, g.Key, leaf)
	// The certificate first: for a moment the two do not fit together.
	if err := os.Rename(g.Cert, f.Cert); err != nil {
		t.Fatal(err)
	}
	log.next(t, "does not match")
	shows(first)
	if err := os.Rename(g.Key, f.Key); err != nil {
		t.Fatal(err)
	}
	log.next(t, "replaced")
	shows(second)
	text, err := os.ReadFile(foreign.File)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.CA, text, 0o600); err != nil { // an authority that did not sign it
		t.Fatal(err)
	}
	for line := ""; !strings.Contains(line, "unknown authority"); { // before that, it may be seen half written
		line = <-log.lines
	}
	shows(second)
	cancel()
	all.Wait()
}
