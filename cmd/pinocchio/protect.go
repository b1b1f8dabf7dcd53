package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/reload"
	"github.com/pinocchio-nose/pinocchio/node"
)

// protectFlags keep strangers out. All the files are read again when they change.
type protectFlags struct {
	SecretFile  string `type:"existingfile" help:"File with the cluster's secret, one a line: the first is used, all are accepted. Or the text itself in the environment, as PINOCCHIO_SECRET. Without it whoever reaches the ports gets in." placeholder:"FILE"`
	TLSCert     string `name:"tls-cert" and:"tls" type:"existingfile" help:"Certificate for clients, PEM: they must use https." placeholder:"FILE"`
	TLSKey      string `name:"tls-key" and:"tls" type:"existingfile" help:"Its private key, PEM." placeholder:"FILE"`
	PeerTLSCert string `name:"peer-tls-cert" and:"peer-tls" type:"existingfile" help:"This node's certificate for the other nodes, PEM; for both directions (serverAuth and clientAuth)." placeholder:"FILE"`
	PeerTLSKey  string `name:"peer-tls-key" and:"peer-tls" type:"existingfile" help:"Its private key, PEM." placeholder:"FILE"`
	PeerTLSCA   string `name:"peer-tls-ca" and:"peer-tls" type:"existingfile" help:"Certificates of the authorities that sign those of the nodes, PEM." placeholder:"FILE"`
	PeerTLSName string `name:"peer-tls-name" default:"pinocchio-peer" help:"DNS name that the certificate of each node must have, whatever its host."`
}

const (
	secretVariable = "PINOCCHIO_SECRET"
	minSecret      = 16 // bytes
	reloadInterval = 2 * time.Second
)

// protection is what the flags led to.
type protection struct {
	secretFile string // "": the secrets do not change
	secretSeen *reload.Files
	secrets    [][]byte
	public     *certs.Source // nil: clients are served without TLS
	peers      certs.Mutual  // zero: nodes talk without TLS
}

// load reads everything that the flags name. The error names every fault.
func (c *protectFlags) load() (p protection, faults error) {
	var err error
	p.secretFile, p.secretSeen = c.SecretFile, reload.Look(c.SecretFile)
	if p.secrets, err = readSecrets(c.SecretFile, os.Getenv(secretVariable)); err != nil {
		faults = err
	}
	if c.TLSCert != "" {
		if p.public, err = certs.Load("http", certs.Files{Cert: c.TLSCert, Key: c.TLSKey}); err != nil {
			faults = errors.Join(faults, fmt.Errorf("--tls-cert and --tls-key: %w", err))
		}
	}
	if c.PeerTLSCert != "" {
		files := certs.Files{Cert: c.PeerTLSCert, Key: c.PeerTLSKey, CA: c.PeerTLSCA}
		if p.peers, err = certs.LoadMutual("peer", files, c.PeerTLSName); err != nil {
			faults = errors.Join(faults, fmt.Errorf("--peer-tls-cert, --peer-tls-key, --peer-tls-ca, --peer-tls-name: %w", err))
		}
	}
	return p, faults
}

// sources are the certificates in use.
func (p *protection) sources() (all []*certs.Source) {
	for _, s := range []*certs.Source{p.public, p.peers.Source} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// apply puts the protection into a node's configuration.
func (p *protection) apply(c *node.Config) {
	c.Secrets, c.PeerTLS, c.Certificates = p.secrets, p.peers, p.sources()
}

// serve puts it into that of the API.
func (p *protection) serve(c *httpapi.Config) {
	if p.public != nil {
		c.TLS = p.public.Server()
	}
	for _, s := range p.sources() {
		c.Reloads = append(c.Reloads, httpapi.Reload{Kind: "certificate_" + s.Kind(), InForce: s.InForce})
	}
	if p.secretFile != "" {
		c.Reloads = append(c.Reloads, httpapi.Reload{Kind: "secret", InForce: p.secretSeen.InForce})
	}
}

// watch reads files again when they change, until the returned function is called.
func (p *protection) watch(n *node.Node, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, s := range p.sources() {
		all.Go(func() { s.Watch(ctx, reloadInterval, log) })
	}
	if p.secretFile != "" {
		all.Go(func() {
			p.secretSeen.Watch(ctx, reloadInterval, func() error {
				secrets, err := readSecrets(p.secretFile, "")
				if err == nil {
					err = n.SetSecrets(secrets)
				}
				if err != nil {
					log.Error("the changed --secret-file cannot be used; the secrets stay as they were", "error", err)
				}
				return err
			})
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// readSecrets reads the cluster's secrets from a file, or else from a text. Neither: there are none.
func readSecrets(path, text string) ([][]byte, error) {
	switch {
	case path != "" && text != "":
		return nil, errors.New("the cluster's secret comes twice: give either --secret-file or " + secretVariable)
	case path != "":
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the cluster's secret: %w", err)
		}
		return parseSecrets(content, path)
	case text != "":
		return parseSecrets([]byte(text), secretVariable)
	}
	return nil, nil
}

// parseSecrets takes one secret a line; empty lines do not count. where names the text in errors, which never show any of it.
func parseSecrets(text []byte, where string) (secrets [][]byte, err error) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(line) < minSecret {
			return nil, fmt.Errorf("a secret in %s has %d bytes, must have at least %d", where, len(line), minSecret)
		}
		secrets = append(secrets, line)
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s holds no secret: write a random line of at least %d bytes into it", where, minSecret)
	}
	return secrets, nil
}
