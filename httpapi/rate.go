package httpapi

import (
	"errors"
	"net"
	"net/netip"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/limit"
)

// Header names as their draft writes them, which fasthttp would not. Read only.
var (
	headerRatePolicy = []byte("RateLimit-Policy")
	headerRate       = []byte("RateLimit")
)

// Limiter keeps the allowances: a *node.Node, or a stand-in in tests.
type Limiter interface {
	// Take asks whether a client may send cost increments now.
	Take(client []byte, cost int) limit.Decision
}

// Rate is how increments are limited.
type Rate struct {
	Limiter      Limiter // nil: they are not
	Policy       limit.Policy
	ByCredential bool          // a client is who the credential belongs to, else its address
	Proxies      limit.Proxies // whose X-Forwarded-For tells the address
	// Forwarded: it is their Forwarded (RFC 7239) that does. Never both: a proxy writes one, and passes on what a client wrote
	// into the other.
	Forwarded bool
}

func (r Rate) validate(access bool) error {
	switch {
	case r.Limiter == nil:
		return nil
	case !r.Policy.Enabled():
		return errors.New("a rate limit without a rate")
	case r.ByCredential && !access:
		return errors.New("a rate limit by credential needs credentials: without them all clients would share one allowance")
	}
	return r.Policy.Validate()
}

// withinRate takes count increments from the client's allowance. It answers, and returns false, when they are too many.
func (s *Server) withinRate(ctx *fasthttp.RequestCtx, count int) bool {
	r := &s.cfg.Rate
	if r.Limiter == nil {
		return true
	}
	header := &ctx.Response.Header
	header.SetCanonical(headerRatePolicy, []byte(r.Policy.Header()))
	if count > r.Policy.Burst { // no wait is long enough: to be told of one, clients would repeat it for ever
		refuse(ctx, fasthttp.StatusRequestEntityTooLarge, problem{
			detail,
			"nothing was counted: one request may hold at most " + strconv.Itoa(r.Policy.Burst) + " increments here, send them in several",
		})
		return false
	}
	var name [128]byte
	d := r.Limiter.Take(s.clientOf(ctx, name[:0]), max(1, count))
	header.SetCanonical(headerRate, []byte(d.Header()))
	if d.Allowed {
		return true
	}
	header.Set("Retry-After", strconv.FormatInt(d.RetryAfter(), 10))
	refuse(ctx, fasthttp.StatusTooManyRequests, problem{
		detail, "this client has sent too many increments, and nothing was counted: wait as long as Retry-After says",
	})
	return false
}

// clientOf appends the name of the request's client.
func (s *Server) clientOf(ctx *fasthttp.RequestCtx, dst []byte) []byte {
	r := &s.cfg.Rate
	if r.ByCredential {
		return append(append(dst, "credential:"...), s.grantOf(ctx).ID()...)
	}
	var peer netip.Addr
	if tcp, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		peer = tcp.AddrPort().Addr()
	}
	header := &ctx.Request.Header
	switch {
	case len(r.Proxies) == 0:
		peer = r.Proxies.Client(peer, nil)
	case r.Forwarded:
		peer = r.Proxies.ClientOfForwarded(peer, header.PeekAll("Forwarded"))
	default:
		peer = r.Proxies.Client(peer, header.PeekAll("X-Forwarded-For"))
	}
	return limit.AppendAddress(dst, peer)
}
