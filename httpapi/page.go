package httpapi

import "github.com/valyala/fasthttp"

// page answers GET /dashboard and what is below.
func (s *Server) page(ctx *fasthttp.RequestCtx) {
	if s.cfg.Page == nil {
		refuse(ctx, fasthttp.StatusNotFound, problem{detail, "this server has no live page"})
		return
	}
	s.cfg.Page(ctx)
}
