package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthCmd asks a node whether it is ready: for the health checks of containers.
type healthCmd struct {
	URL     string `arg:"" optional:"" help:"The node. Default: http://127.0.0.1:3333, or https with --tls-cert."`
	CA      string `name:"ca" type:"existingfile" help:"Certificates of the authorities to trust for https, PEM. Default: the system's." placeholder:"FILE"`
	TLSCert string `name:"tls-cert" type:"existingfile" help:"The node's own certificate file: trust exactly this certificate, whatever name the URL has." placeholder:"FILE"`
}

// Run returns nil when the node is ready.
func (c *healthCmd) Run(ctx context.Context, std streams) error {
	trust, err := c.trust()
	if err != nil {
		return err
	}
	base := "http://127.0.0.1:3333"
	if c.TLSCert != "" {
		base = "https://127.0.0.1:3333"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(cmp.Or(c.URL, base), "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the node does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the node is not ready: %s", resp.Status)
	}
	_, err = fmt.Fprintln(std.out, "ready")
	return err
}

// trust returns whom to believe that it is the node.
func (c *healthCmd) trust() (*tls.Config, error) {
	if c.TLSCert == "" {
		return trusting(c.CA)
	}
	text, err := os.ReadFile(c.TLSCert)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	own, _ := pem.Decode(text)
	if own == nil {
		return nil, fmt.Errorf("--tls-cert: %s holds no certificate in PEM form", c.TLSCert)
	}
	return &tls.Config{
		InsecureSkipVerify: true, // not the name and the signer are checked, but that it is this certificate
		VerifyConnection: func(s tls.ConnectionState) error {
			if !bytes.Equal(s.PeerCertificates[0].Raw, own.Bytes) {
				return errors.New("it shows another certificate than that of --tls-cert")
			}
			return nil
		},
	}, nil
}

// trusting returns a configuration that trusts the authorities in a file, or the system's without one.
func trusting(ca string) (*tls.Config, error) {
	if ca == "" {
		return &tls.Config{}, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form", ca)
	}
	return &tls.Config{RootCAs: roots}, nil
}
