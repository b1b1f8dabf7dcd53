package certs

import (
	"crypto/tls"
	"errors"
)

// Mutual is a certificate for the connections between nodes, in both directions.
type Mutual struct{ *Source }

// LoadMutual reads a node's certificate and the authorities that sign the others'. name is the DNS name for which the certificates of all
// nodes must be valid. It is an error when the node's own one would be refused by others with the same files.
func LoadMutual(kind string, files Files, name string) (Mutual, error) {
	if name == "" {
		return Mutual{}, errors.New("the DNS name of the nodes' certificates is missing")
	}
	s, err := load(kind, files, name)
	return Mutual{s}, err
}

// Server returns a configuration for connections from other nodes: TLS 1.3, and only with a good certificate.
func (m Mutual) Server() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		GetConfigForClient:     func(*tls.ClientHelloInfo) (*tls.Config, error) { return m.accept(), nil },
	}
}

// accept is the configuration for one connection, with what is loaded now.
func (m Mutual) accept() *tls.Config {
	l := m.now.Load()
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true, // nodes connect seldom, and nobody goes on with what was verified by old files
		Certificates:           []tls.Certificate{l.pair},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              l.roots,
		VerifyConnection: func(c tls.ConnectionState) error {
			return c.PeerCertificates[0].VerifyHostname(m.name)
		},
	}
}

// Client returns a configuration for one connection to another node, with what is loaded now.
func (m Mutual) Client() *tls.Config {
	l := m.now.Load()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{l.pair},
		RootCAs:      l.roots,
		ServerName:   m.name,
	}
}
