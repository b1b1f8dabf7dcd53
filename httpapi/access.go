package httpapi

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// textForeignKey refuses a key of somebody else.
const textForeignKey = "does not begin with a prefix that this credential is for"

// openRoute tells whether a route asks for no credential: probes, metrics, the API's document and the files of the live page, none of which hold a key
// or a total, and what there is not.
func openRoute(r route, path []byte) bool {
	switch r {
	case routeUnknown, routeHealth, routeReady, routeMetrics, routeSpec:
		return true
	case routePage:
		return !bytes.HasSuffix(path, []byte("events")) // its stream, however the path is written
	}
	return false
}

// permitted tells whether a grant allows a method on a route, and which scope it takes.
func permitted(g *access.Grant, r route, reads bool) (ok bool, needs access.Scope) {
	switch r {
	case routeIncrement, routeMany, routeShort, routeTotal, routeCounter, routeList:
		needs = access.Write
		if reads {
			needs = access.Read
		}
		return g.May(needs), needs
	case routeCluster, routePage:
		return g.MayWatch(), access.Read
	}
	return g.May(access.Admin), access.Admin // whatever is added must say who may, or nobody else can
}

// authorized checks a request's credential against its route, before anything else of it is looked at. It answers, and returns false, when
// the request may not go on.
func (s *Server) authorized(ctx *fasthttp.RequestCtx, r route) bool {
	if s.cfg.Access == nil {
		return true
	}
	header := &ctx.Request.Header
	if openRoute(r, ctx.Path()) {
		return true
	}
	g, err := s.cfg.Access.Check(header.PeekAll("Authorization"))
	if err != nil {
		refuseCredential(ctx, err)
		return false
	}
	ok, needs := permitted(g, r, header.IsGet() || header.IsHead())
	switch {
	case !ok && g.May(needs):
		refuseScope(ctx, needs, problem{detail, "this path shows all keys, and the credential is for some of them"})
	case !ok:
		refuseScope(ctx, needs, problem{detail, "the credential lacks the scope " + needs.String()})
	}
	if ok {
		ctx.SetUserValue(grantValue{}, g)
	}
	return ok
}

// grantValue is the name under which a request keeps its grant.
type grantValue struct{}

// grantOf returns what the request's credential allows; nil: everything.
func (s *Server) grantOf(ctx *fasthttp.RequestCtx) *access.Grant {
	if s.cfg.Access == nil {
		return nil
	}
	g, _ := ctx.UserValue(grantValue{}).(*access.Grant)
	return g
}

// mayKey tells whether the request may touch a key, or list those that begin with it. It answers when it may not.
func (s *Server) mayKey(ctx *fasthttp.RequestCtx, key []byte) bool {
	g := s.grantOf(ctx)
	if g.MayKey(key) {
		return true
	}
	refuseScope(ctx, 0, problem{"key", textForeignKey})
	return false
}

// Challenges of RFC 6750, section 3.
const (
	challenge        = `Bearer realm="pinocchio"`
	challengeInvalid = challenge + `, error="invalid_token", error_description="`
	challengeScope   = challenge + `, error="insufficient_scope"`
)

// setChallenge writes the header by its usual name; fasthttp would write Www.
func setChallenge(ctx *fasthttp.RequestCtx, value string) {
	ctx.Response.Header.SetCanonical([]byte("WWW-Authenticate"), []byte(value))
}

// refuseCredential answers a request without a good credential. The reason is one of a few constant texts of package access.
func refuseCredential(ctx *fasthttp.RequestCtx, err error) {
	switch {
	case errors.Is(err, access.ErrNotYet):
		setRetryAfter(ctx, retryLater)
		refuse(ctx, fasthttp.StatusServiceUnavailable, problem{detail, "this node cannot check the credential yet: send it again, or to another node"})
		return
	case errors.Is(err, access.ErrNone):
		setChallenge(ctx, challenge)
	default:
		setChallenge(ctx, challengeInvalid+err.Error()+`"`)
	}
	refuse(ctx, fasthttp.StatusUnauthorized, problem{
		detail, err.Error() + `: send a good one in a header such as "Authorization: Bearer TOKEN"`,
	})
}

// refuseScope answers a request whose credential is good, but not for this. needs 0: no other scope would help.
func refuseScope(ctx *fasthttp.RequestCtx, needs access.Scope, p problem) {
	value := challengeScope
	if needs != 0 {
		value += `, scope="` + needs.String() + `"`
	}
	setChallenge(ctx, value)
	refuse(ctx, fasthttp.StatusForbidden, p)
}
