package certs

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

// R13, seen from the side that calls: these servers take anybody, so that only what the client checks can end the handshake.
func TestMutual_RefusesToCallWhoIsNoNodeEvenWhenThatOneTakesAnybody(t *testing.T) {
	ca, foreign := certtest.New(t), certtest.New(t)
	own := in(t, ca)
	ca.Issue(t, own.Cert, own.Key, certtest.Leaf{Names: []string{nodeName}})
	node, err := LoadMutual("peer", own, nodeName)
	if err != nil {
		t.Fatal(err)
	}
	server := func(signer *certtest.CA, leaf certtest.Leaf, version uint16) *tls.Config {
		t.Helper()
		f := in(t, signer)
		signer.Issue(t, f.Cert, f.Key, leaf)
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: version}
	}
	named := certtest.Leaf{Names: []string{nodeName}}
	onlyCalls := certtest.Leaf{Names: []string{nodeName}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range []struct {
		what   string
		server *tls.Config
		good   bool
	}{
		{"one with a certificate of the cluster", server(ca, named, 0), true},
		{"one with a foreign certificate of the same name", server(foreign, named, 0), false},
		{"one with a certificate for another service", server(ca, certtest.Leaf{Names: []string{"other"}}, 0), false},
		{"one that is valid for its address alone", server(ca, certtest.Leaf{}, 0), false},
		{"one whose certificate has ended", server(ca, certtest.Leaf{Names: []string{nodeName}, Ends: time.Now().Add(-time.Minute)}, 0), false},
		{"one whose certificate is only to call", server(ca, onlyCalls, 0), false},
		{"one that speaks TLS 1.2", server(ca, named, tls.VersionTLS12), false},
	} {
		if _, _, err := shake(t, c.server, node.Client()); (err == nil) != c.good {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
