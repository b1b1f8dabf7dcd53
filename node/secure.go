package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/expo"
)

const (
	peerDialTimeout      = time.Second
	peerHandshakeTimeout = 5 * time.Second
)

// encrypts tells whether connections between nodes are encrypted, which needs certificates.
func encrypts(m certs.Mutual) bool { return m.Source != nil }

// dial connects to another node; its errors are dialErrors.
func (a *auth) dial(addr string) (net.Conn, error) {
	nc, err := a.connect(addr)
	if err != nil {
		return nil, dialError{err}
	}
	return nc, nil
}

func (a *auth) connect(addr string) (net.Conn, error) {
	nc, err := fasthttp.DialDualStackTimeout(addr, peerDialTimeout)
	if err != nil || !encrypts(a.tls) {
		return nc, err
	}
	c := tls.Client(nc, a.tls.Client())
	ctx, cancel := context.WithTimeout(context.Background(), peerDialTimeout)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("TLS with the node at %s: %w", addr, err)
	}
	return c, nil
}

// isTLSFault tells that the two sides do not agree on TLS or on each other's certificates. The other side's refusal has no type.
func isTLSFault(err error) bool { return strings.Contains(err.Error(), "tls: ") }

// peerListener demands a certificate of every connection (R13).
type peerListener struct {
	net.Listener
	node *Node
}

// secured returns the listener for other nodes as the configuration wants it.
func (n *Node) secured(ln net.Listener) net.Listener {
	if !encrypts(n.cfg.PeerTLS) {
		return ln
	}
	return peerListener{ln, n}
}

// Accept implements net.Listener. The handshake happens later, on the connection's own goroutine: it may take long.
func (l peerListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &peerConn{Conn: tls.Server(nc, l.node.cfg.PeerTLS.Server()), node: l.node}, nil
}

// peerConn is a connection that shakes hands before its first byte is read.
type peerConn struct {
	net.Conn // a *tls.Conn, which would make the server look for other protocols
	node     *Node
	once     sync.Once
	err      error
}

// Read implements net.Conn.
func (c *peerConn) Read(b []byte) (int, error) {
	c.once.Do(c.handshake)
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(b)
}

func (c *peerConn) handshake() {
	ctx, cancel := context.WithTimeout(context.Background(), peerHandshakeTimeout)
	defer cancel()
	if c.err = c.Conn.(*tls.Conn).HandshakeContext(ctx); c.err != nil {
		c.node.count.strangers.Inc()
		c.node.seldom("refused a connection to the port for other nodes: no certificate of this cluster; "+
			"compare --peer-tls-ca and --peer-tls-name, or look who is at this port", "error", c.err, "remote", c.RemoteAddr())
	}
}

// expiryFamily describes the ends of the certificates, of nodes that have any.
func expiryFamily() expo.Family {
	return expo.Family{
		Name: "pinocchio_tls_certificate_expiry_seconds", Type: expo.TypeGauge,
		Help: "For how long the certificate in use is still valid, by kind: for clients (http) or other nodes (peer); negative when it is over.",
	}
}
