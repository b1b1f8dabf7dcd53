package httpapi

import (
	_ "embed"

	"github.com/valyala/fasthttp"
)

// spec describes every route and status. A test drives them all and compares, both ways.
//
//go:embed openapi.yaml
var spec []byte

// writeSpec answers GET /openapi.yaml.
func writeSpec(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/yaml")
	ctx.Response.SetBodyRaw(spec)
}
