package httpapi

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// page answers GET /dashboard and what is below.
func (s *Server) page(ctx *fasthttp.RequestCtx) {
	if s.cfg.Page == nil {
		refuse(ctx, fasthttp.StatusNotFound, problem{detail, "this server has no live page"})
		return
	}
	s.cfg.Page(ctx, s.stillWatching(ctx))
}

// stillWatching returns what tells whether the credential of a request is still good for the page. It outlives the request.
func (s *Server) stillWatching(ctx *fasthttp.RequestCtx) func() bool {
	if s.cfg.Access == nil || openRoute(routePage, ctx.Path()) {
		return func() bool { return true }
	}
	var headers [][]byte
	for _, h := range ctx.Request.Header.PeekAll("Authorization") {
		headers = append(headers, bytes.Clone(h))
	}
	return func() bool {
		g, err := s.cfg.Access.Check(headers)
		ok, _ := permitted(g, routePage, true)
		return err == nil && ok
	}
}
