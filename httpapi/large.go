package httpapi

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// A body longer than MaxBodyBytes is one of many increments, and its memory is taken as soon as its headers were read. So whoever sends
// them must be known by then, and what all such bodies hold together has a bound (R10).

// largePage is the unit in which large bodies are counted.
const largePage = 64 << 10

// What was decided about a large body, beside the pages that it was granted.
const (
	largeBusy     = 2 * maxBodyBytes / largePage // others hold all there is
	largeStranger = largeBusy + 1                // its credential may not count
	largeUnknown  = largeBusy + 2                // its credential cannot be checked yet
)

// chunked is the length of a body that was not announced.
const chunked = -1

// verdictUnit carries a verdict to the connection. fasthttp's callback for headers does not know the connection, and fasthttp tells nobody of
// requests that end between headers and handler; but it sets the timeout that the callback returns on the connection, at
// once. So that timeout is the verdict, in a unit that no delay on the way can blur, and never becomes a deadline.
const verdictUnit = time.Hour

// SetReadDeadline implements net.Conn. fasthttp, which has no timeouts here, calls it for one reason: see verdictUnit.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.large = int64((time.Until(t) + verdictUnit/2) / verdictUnit)
	return nil
}

// granted returns the pages that the connection holds.
func (c *conn) granted() int64 {
	if c == nil || c.large >= largeBusy {
		return 0
	}
	return c.large
}

// pages are what is left for large bodies.
type pages struct{ left atomic.Int64 }

func (p *pages) take(n int64) bool {
	for {
		left := p.left.Load()
		if left < n {
			return false
		}
		if p.left.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// bodyLimit is called by fasthttp when a request's headers have been read.
func (s *Server) bodyLimit(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	limit, size := s.maxBody(header), header.ContentLength()
	small := min(limit, s.cfg.MaxBodyBytes)
	if limit == small || size > limit || size <= small && size != chunked {
		return fasthttp.RequestConfig{MaxRequestBodySize: small}
	}
	if size == chunked {
		size = limit
	}
	verdict := int64(size+largePage-1) / largePage
	switch may, err := s.mayBatch(header); {
	case errors.Is(err, access.ErrNotYet):
		limit, verdict = small, largeUnknown
	case !may:
		limit, verdict = small, largeStranger
	case !s.large.take(verdict):
		limit, verdict = small, largeBusy
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: limit, ReadTimeout: time.Duration(verdict) * verdictUnit}
}

// maxBody returns how long the body of a request may be at most.
func (s *Server) maxBody(header *fasthttp.RequestHeader) int {
	if r, _ := match(pathOf(header.RequestURI())); r == routeMany && header.IsPost() {
		return s.cfg.MaxBatchBytes
	}
	return s.cfg.MaxBodyBytes
}

// mayBatch tells whether the request's credential may count at all.
func (s *Server) mayBatch(header *fasthttp.RequestHeader) (bool, error) {
	if s.cfg.Access == nil {
		return true, nil
	}
	g, err := s.cfg.Access.Check(header.PeekAll("Authorization"))
	return err == nil && g.May(access.Write), err
}

// giveBack ends the hold of a connection on pages: its answer has been written, or it has ended.
func (s *Server) giveBack(c *conn) {
	if c.large != 0 {
		s.large.left.Add(c.granted())
		c.large = 0
	}
}

// expected is called by fasthttp when a client waits with its body for "100 Continue" (RFC 9110, section 10.1.1). One whose body is
// too large need not send it. What is not 100 is sent as the answer, and the connection is closed.
func (s *Server) expected(ctx *fasthttp.RequestCtx) int {
	header := &ctx.Request.Header
	limit := s.maxBody(header)
	if c, _ := ctx.Conn().(*conn); c.granted() == 0 {
		limit = min(limit, s.cfg.MaxBodyBytes)
	}
	if header.ContentLength() <= limit {
		return fasthttp.StatusContinue
	}
	s.refuseLarge(ctx)
	lingerAfter(ctx)
	status := ctx.Response.StatusCode()
	s.metrics.observe(ctx.ConnID(), routeUnread, status, 0)
	return status
}

// refuseLarge answers a request whose body is longer than bodyLimit allowed. When it came in chunks, fasthttp has forgotten its headers.
func (s *Server) refuseLarge(ctx *fasthttp.RequestCtx) {
	header := &ctx.Request.Header
	limit, verdict := s.maxBody(header), int64(0)
	if c, _ := ctx.Conn().(*conn); c != nil {
		verdict = c.large
	}
	more := ""
	switch {
	case verdict == largeBusy:
		setRetryAfter(ctx, retrySoon)
		refuse(ctx, fasthttp.StatusServiceUnavailable, problem{
			detail,
			"this node is busy with other large requests, and nothing was counted: send it again, to another node, or in bodies of at most " + strconv.Itoa(s.cfg.MaxBodyBytes) + " bytes",
		})
		return
	case verdict == largeUnknown:
		refuseCredential(ctx, access.ErrNotYet)
		return
	case verdict == largeStranger && header.ContentLength() > 0:
		if !s.authorized(ctx, routeMany) {
			return
		}
		limit = s.cfg.MaxBodyBytes // the credential became good just now
	case verdict == largeStranger:
		more = " from clients without a credential that may count"
	case verdict > 0:
		limit = s.cfg.MaxBatchBytes
	}
	refuse(ctx, fasthttp.StatusRequestEntityTooLarge, problem{
		detail,
		"the body is too large: at most " + strconv.Itoa(limit) + " bytes" + more,
	})
}
