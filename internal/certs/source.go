package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/reload"
)

// Files are the paths of PEM files.
type Files struct {
	Cert string // the certificate, and those between it and its authority
	Key  string // its private key
	CA   string // the authorities that sign peers; only for Mutual
}

// Source is a certificate that is replaced when its files change. Safe for concurrent use.
type Source struct {
	kind  string
	files Files
	name  string // what a certificate between nodes must be valid for; "": it is not for nodes
	seen  *reload.Files
	now   atomic.Pointer[loaded]
}

// loaded is what was in the files. It is never changed.
type loaded struct {
	pair  tls.Certificate
	roots *x509.CertPool // nil without Files.CA
}

// Load reads a certificate to show to clients. kind names it in metrics and logs.
func Load(kind string, files Files) (*Source, error) {
	return load(kind, Files{Cert: files.Cert, Key: files.Key}, "")
}

func load(kind string, files Files, name string) (*Source, error) {
	paths := []string{files.Cert, files.Key}
	if name != "" {
		paths = append(paths, files.CA)
	}
	s := &Source{kind: kind, files: files, name: name, seen: reload.Look(paths...)}
	l, err := s.read()
	if err != nil {
		return nil, err
	}
	s.now.Store(l)
	return s, nil
}

// read reads the files and checks that they belong together.
func (s *Source) read() (*loaded, error) {
	cert, err := os.ReadFile(s.files.Cert)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	key, err := os.ReadFile(s.files.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate's key: %w", err)
	}
	l := new(loaded)
	if l.pair, err = tls.X509KeyPair(cert, key); err != nil {
		return nil, fmt.Errorf("certificate %s and key %s: %w", s.files.Cert, s.files.Key, err)
	}
	if s.name == "" {
		return l, nil
	}
	authorities, err := os.ReadFile(s.files.CA)
	if err != nil {
		return nil, fmt.Errorf("read the authorities: %w", err)
	}
	l.roots = x509.NewCertPool()
	if !l.roots.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", s.files.CA)
	}
	if err := l.fits(s.name); err != nil {
		return nil, fmt.Errorf("other nodes would refuse the certificate %s: %w", s.files.Cert, err)
	}
	return l, nil
}

// fits checks a node's own certificate as other nodes will, in both directions.
func (l *loaded) fits(name string) error {
	between := x509.NewCertPool()
	for _, der := range l.pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	var errs []error
	for _, use := range []struct {
		usage x509.ExtKeyUsage
		what  string
	}{{x509.ExtKeyUsageServerAuth, "to be called (serverAuth)"}, {x509.ExtKeyUsageClientAuth, "to call (clientAuth)"}} {
		_, err := l.pair.Leaf.Verify(x509.VerifyOptions{
			DNSName: name, Roots: l.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use.usage},
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", use.what, err))
		}
	}
	return errors.Join(errs...)
}

// Kind returns what Load was given.
func (s *Source) Kind() string { return s.kind }

// Expiry returns when the present certificate ends.
func (s *Source) Expiry() time.Time { return s.now.Load().pair.Leaf.NotAfter }

// Watch reads the files again after each change, until ctx is done. It looks at intervals.
func (s *Source) Watch(ctx context.Context, every time.Duration, log *slog.Logger) {
	s.seen.Watch(ctx, every, func() error {
		l, err := s.read()
		if err != nil {
			log.Error("a changed TLS certificate cannot be used; the last one that could stays in use",
				"kind", s.kind, "error", err, "expires", s.Expiry())
			return err
		}
		s.now.Store(l)
		log.Info("TLS certificate replaced", "kind", s.kind, "expires", s.Expiry())
		return nil
	})
}

// InForce tells whether the certificate in use is the one in the files. False: they could not be used when they changed.
func (s *Source) InForce() bool { return s.seen.InForce() }

// Server returns a configuration for clients' connections: TLS 1.2 or newer, HTTP/1.1.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.now.Load().pair, nil },
	}
}
