package httpapi

import (
	"context"
	"crypto/tls"
	"net"
)

// secured encrypts a connection where the configuration asks for that.
func (s *Server) secured(nc net.Conn) net.Conn {
	if s.cfg.TLS == nil {
		return nc
	}
	return tls.Server(nc, s.cfg.TLS)
}

// shakeHands does the TLS handshake, which may take as long as a request. It closes a connection that it returns false for.
func (s *Server) shakeHands(c *conn) bool {
	secure, ok := c.Conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ReadTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		s.metrics.noTLS.Inc() // not logged: whoever reaches the port can cause it
		_ = c.Conn.Close()
		return false
	}
	return true
}
