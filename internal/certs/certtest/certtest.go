// Package certtest makes certificate authorities and certificates for tests.
package certtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA signs certificates.
type CA struct {
	File string // in PEM form
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New returns an authority, with a file for as long as the test runs.
func New(t testing.TB) *CA {
	t.Helper()
	ca := &CA{File: filepath.Join(t.TempDir(), "ca.pem"), key: newKey(t)}
	ca.cert = sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, ca.key, ca.key)
	Write(t, ca.File, "CERTIFICATE", ca.cert.Raw)
	return ca
}

// Pool returns the authority for a client that verifies.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}

// Leaf says what a certificate is for. The zero value: 127.0.0.1 and the given names, both directions, for an hour.
type Leaf struct {
	Names  []string
	Ends   time.Time
	Usages []x509.ExtKeyUsage
}

// Issue writes a new certificate and its key to the two files, and returns the certificate.
func (ca *CA) Issue(t testing.TB, certFile, keyFile string, l Leaf) *x509.Certificate {
	t.Helper()
	if l.Ends.IsZero() {
		l.Ends = time.Now().Add(time.Hour)
	}
	if l.Usages == nil {
		l.Usages = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	key := newKey(t)
	cert := sign(t, &x509.Certificate{
		NotAfter: l.Ends, DNSNames: l.Names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: l.Usages,
	}, ca.cert, key, ca.key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	Write(t, keyFile, "PRIVATE KEY", der)
	Write(t, certFile, "CERTIFICATE", cert.Raw)
	return cert
}

// Write writes one PEM block to a file, by renaming it into place.
func Write(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign fills in what all certificates have in common. Without a parent the certificate signs itself.
func sign(t testing.TB, cert, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	cert.SerialNumber, cert.NotBefore = serial, time.Now().Add(-2*time.Hour)
	if parent == nil {
		parent = cert
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
