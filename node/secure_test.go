package node

import (
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// peerTLS returns certificates between nodes that the authority signed.
func peerTLS(t *testing.T, ca *certtest.CA, name string) certs.Mutual {
	t.Helper()
	dir := t.TempDir()
	f := certs.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: ca.File}
	ca.Issue(t, f.Cert, f.Key, certtest.Leaf{Names: []string{name}})
	m, err := certs.LoadMutual("peer", f, name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCluster_CountsOverTLSBetweenItsNodes(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	c := newCluster(t, 2, func(cfg *Config) {
		cfg.PeerTLS = peerTLS(t, ca, "pinocchio-peer")
		cfg.Certificates = []*certs.Source{cfg.PeerTLS.Source}
	})
	for _, i := range c.nodes {
		for range 20 {
			i.add("a", 1)
			i.add("b", 1)
		}
	}
	c.exact(map[string]int64{"a": 40, "b": 40})
	n := c.nodes[0]
	if got := regexp.MustCompile(`\npinocchio_tls_certificate_expiry_seconds\{kind="peer"\} 35\d\d\.`).FindString(n.metrics()); got == "" {
		t.Error("the metrics do not tell that the certificate ends in an hour")
	}
	if got := n.count.strangers.Get(); got != 0 {
		t.Errorf("%d strangers", got)
	}
}

// R13: who has no certificate of the cluster is refused and counted, though it has the secret.
func TestR13_PeersWithoutACertificateOfTheClusterAreRefused(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	c := newCluster(t, 1, func(cfg *Config) { cfg.PeerTLS = peerTLS(t, ca, "pinocchio-peer") })
	n := c.nodes[0]
	for _, s := range []struct {
		what string
		tls  certs.Mutual
		good bool
	}{
		{"the cluster's", peerTLS(t, ca, "pinocchio-peer"), true},
		{"none", certs.Mutual{}, false},
		{"a foreign one", peerTLS(t, certtest.New(t), "pinocchio-peer"), false},
		{"one for another service", peerTLS(t, ca, "other"), false},
	} {
		a := otherAuth(t, secretText)
		a.tls = s.tls
		before := n.count.strangers.Get()
		call := newCaller(n.id, n.PeerAddr(), a)
		got, err := call.post(batchPath, message(n.Node, 0), patience)
		if err == nil {
			got.release()
		}
		call.close()
		if (err == nil) != s.good {
			t.Errorf("%s: %v", s.what, err)
		}
		if s.good {
			continue
		}
		eventually(t, func() error { // the server may count after the caller has given up
			if n.count.strangers.Get() == before {
				return errors.New(s.what + ": not counted")
			}
			return nil
		})
	}
	if got := strings.Count(c.log.String(), "no certificate of this cluster"); got != 1 {
		t.Errorf("three refusals are %d lines in the log", got)
	}
}

// A node whose certificate the others do not take stays outside, and both sides say so.
func TestR13_ANodeWithAForeignCertificateTakesPartInNothing(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	c := newCluster(t, 1, func(cfg *Config) { cfg.PeerTLS = peerTLS(t, ca, "pinocchio-peer") })
	cfg := c.config("foreign")
	cfg.PeerTLS = peerTLS(t, certtest.New(t), "pinocchio-peer")
	cfg.OwnerTimeout, cfg.DrainTimeout = 50*time.Millisecond, 100*time.Millisecond
	foreign := c.startWith(cfg)
	foreign.away.Store(true)
	eventually(t, func() error {
		r, err := foreign.Increment(Increment{Key: []byte(c.nodes[0].keyOf("k", 0)), Delta: 1})
		if err == nil && !r.Later {
			t.Fatalf("an increment over foreign certificates: %+v", r)
		}
		if !strings.Contains(c.log.String(), "no TLS connection to another node") || c.nodes[0].count.strangers.Get() == 0 {
			return errors.New("the refusal is not logged and counted")
		}
		return nil
	})
	_ = foreign.stop()
}

// A connection that never shakes hands costs nothing but itself.
func TestPeers_ServeWhileAConnectionIsSilentInItsHandshake(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	c := newCluster(t, 1, func(cfg *Config) { cfg.PeerTLS = peerTLS(t, ca, "pinocchio-peer") })
	n := c.nodes[0]
	silent, err := net.Dial("tcp", n.PeerAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	a := otherAuth(t, secretText)
	a.tls = peerTLS(t, ca, "pinocchio-peer")
	call := newCaller(n.id, n.PeerAddr(), a)
	defer call.close()
	got, err := call.post(batchPath, message(n.Node, 0), patience)
	if err != nil {
		t.Fatal(err)
	}
	got.release()
}
