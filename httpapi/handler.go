package httpapi

import (
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"
)

// handle answers one request. fasthttp calls it for each, one at a time on a connection.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	start := time.Since(s.clock.start) // cheaper than time.Now: it reads one clock, not two
	c, _ := ctx.Conn().(*conn)
	if c != nil {
		c.enter(phaseHandling)
	}
	r := routeUnknown
	defer func() {
		if p := recover(); p != nil {
			s.recovered(ctx, r, p)
		}
		s.metrics.observe(ctx.ConnID(), r, ctx.Response.StatusCode(), time.Since(s.clock.start)-start)
		if s.draining.Load() || c != nil && c.doomed.Load() {
			ctx.SetConnectionClose()
			lingerAfter(ctx)
		}
	}()
	var key []byte
	r, key = match(pathOf(ctx.Request.Header.RequestURI()))
	s.dispatch(ctx, &r, key)
}

// recovered turns a panic of the handler into a 500: a fault in one request must not be the end of the node.
func (s *Server) recovered(ctx *fasthttp.RequestCtx, r route, p any) {
	s.metrics.panics.Inc()
	s.log.Error("panic while answering a request", "route", r.String(), "panic", p, "stack", string(debug.Stack()))
	ctx.Response.Reset()
	refuse(ctx, fasthttp.StatusInternalServerError, internalError)
}

// lingerAfter makes the connection read on for a moment after its last answer.
func lingerAfter(ctx *fasthttp.RequestCtx) {
	if c, ok := ctx.Conn().(*conn); ok {
		c.linger = true
	}
}

// dispatch calls the handler of the route. It corrects the route where the method decides: with a slash at the end, a
// POST is still an increment, while a GET is that of an empty key.
func (s *Server) dispatch(ctx *fasthttp.RequestCtx, r *route, key []byte) {
	header := &ctx.Request.Header
	if *r == routeTotal && len(key) == 0 && header.IsPost() {
		*r = routeIncrement
	}
	if !s.authorized(ctx, *r) {
		return
	}
	switch *r {
	case routeIncrement, routeShort:
		if header.IsPost() {
			s.increment(ctx, *r)
			return
		}
	case routeMany:
		if header.IsPost() {
			s.incrementMany(ctx)
			return
		}
	case routeCounter:
		switch {
		case header.IsGet() || header.IsHead():
			s.counter(ctx, key)
			return
		case header.IsPut():
			s.set(ctx, key)
			return
		case header.IsDelete():
			s.reset(ctx, key)
			return
		}
	case routeUnknown:
		refuse(ctx, fasthttp.StatusNotFound, problem{
			detail,
			"there is nothing at this path: increments go to POST /api/v1/increment, totals are at GET /api/v1/increment/{key}",
		})
		return
	default:
		if header.IsGet() || header.IsHead() {
			s.get(ctx, *r, key)
			return
		}
	}
	allow := r.allow()
	ctx.Response.Header.Set("Allow", allow)
	refuse(ctx, fasthttp.StatusMethodNotAllowed, problem{detail, "this path takes " + allow + " only"})
}

func (s *Server) get(ctx *fasthttp.RequestCtx, r route, key []byte) {
	switch r {
	case routeTotal:
		s.total(ctx, key)
	case routeList:
		s.list(ctx)
	case routeCluster:
		s.cluster(ctx)
	case routeAudit:
		s.audit(ctx)
	case routeHealth:
		writeJSON(ctx, fasthttp.StatusOK, []byte(`{"data":{"status":"ok"}}`))
	case routeReady:
		s.readyz(ctx)
	case routeMetrics:
		s.scrape(ctx)
	case routePage:
		s.page(ctx)
	case routeSpec:
		writeSpec(ctx)
	}
}
