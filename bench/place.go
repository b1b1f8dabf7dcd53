package bench

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"time"
)

// place is where a target listens.
type place struct {
	host   string      // host:port
	secure *tls.Config // nil: without TLS
}

// connect returns a connection over which requests can be sent, TLS agreed on.
func (p place) connect(ctx context.Context, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := net.Dialer{}
	plain, err := d.DialContext(ctx, "tcp", p.host)
	if err != nil || p.secure == nil {
		return plain, err
	}
	c := tls.Client(plain, p.secure)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // the handshake's error says more
		return nil, err
	}
	return c, nil
}

// under returns the connection below TLS, or c itself.
func under(c net.Conn) net.Conn {
	if s, ok := c.(*tls.Conn); ok {
		return s.NetConn()
	}
	return c
}

// places returns where each target listens. The options are valid. There is no cache of sessions: a server would send tickets for it
// when nothing is in flight, which looks like a connection that was closed.
func (o Options) places() []place {
	all := make([]place, len(o.Targets))
	for i, t := range o.Targets {
		host, secure, _ := parseTarget(t)
		all[i].host = host
		if secure {
			name, _, _ := net.SplitHostPort(host)
			c := cmp.Or(o.TLS, &tls.Config{}).Clone()
			c.ServerName, c.ClientSessionCache, c.NextProtos = cmp.Or(c.ServerName, name), nil, nil
			all[i].secure = c
		}
	}
	return all
}
