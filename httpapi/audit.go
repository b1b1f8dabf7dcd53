package httpapi

import (
	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// audit answers GET /api/v1/audit: figures that "pinocchio audit" compares with the tables.
func (s *Server) audit(ctx *fasthttp.RequestCtx) {
	body, err := json.Marshal(struct {
		Data node.AuditFigures `json:"data"`
	}{s.service.Audit()})
	if err != nil {
		s.failed(ctx, routeAudit, err)
		return
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	writeJSON(ctx, fasthttp.StatusOK, body)
}
