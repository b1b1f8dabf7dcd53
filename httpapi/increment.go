package httpapi

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// Header names as fasthttp normalises them, so that looking one up needs no conversion. Read only.
var (
	headerPrefer      = []byte("Prefer")
	headerDurability  = []byte("Durability")
	headerIdempotency = []byte("Idempotency-Key")
)

// increment answers POST /api/v1/increment. In the plain case it allocates nothing: it reads the body where it lies, and
// the node copies what it keeps.
func (s *Server) increment(ctx *fasthttp.RequestCtx, r route) {
	if !s.withinRate(ctx, 1) {
		return
	}
	scratch := s.scratches.get()
	defer s.scratches.put(scratch)
	f, grown, ok := scan(ctx.PostBody(), *scratch)
	*scratch = grown
	if !ok {
		var err error
		if f, err = read(ctx.PostBody()); err != nil {
			refuseBody(ctx, err)
			return
		}
	}
	delta, integer := f.value.integer()
	bounds, fits := f.bounds()
	if !integer || !fits || f.key.kind != kindString || !validKey(f.key.text) {
		refuse(ctx, fasthttp.StatusUnprocessableEntity, faults(f)...)
		return
	}
	if !s.mayKey(ctx, f.key.text) {
		return
	}
	in := node.Increment{Key: f.key.text, Delta: delta}
	if !options(ctx, &in) || !idempotency(ctx, &in) {
		return
	}
	if f.bounded() {
		bounds.Value = delta
		s.add(ctx, r, in, bounds)
		return
	}
	result, err := s.service.Increment(in)
	if err != nil {
		s.failed(ctx, r, err)
		return
	}
	if result.Later {
		ctx.Response.Header.Set("Counted", "later")
	}
	if result.Replayed {
		ctx.Response.Header.Set("Idempotency-Replayed", "true")
	}
	if !in.Return || !result.HasTotal || result.Later {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		return
	}
	ctx.Response.Header.Set("Preference-Applied", "return=representation")
	body := append(make([]byte, 0, 128), `{"data":{"key":`...)
	body = appendString(body, in.Key)
	body = append(body, `,"value":`...)
	body = strconv.AppendInt(body, result.Total, 10)
	writeJSON(ctx, fasthttp.StatusOK, append(body, `}}`...))
}

// faults says what is wrong with the fields: both are named when both are wrong.
func faults(f fields) []problem {
	var problems []problem
	switch {
	case f.key.blank():
		problems = append(problems, problem{"key", textBlank})
	case f.key.kind != kindString || !validKey(f.key.text):
		problems = append(problems, problem{"key", textInvalid})
	}
	if _, ok := f.value.integer(); f.value.blank() {
		problems = append(problems, problem{"value", textBlank})
	} else if !ok {
		problems = append(problems, problem{"value", textInvalid})
	}
	return append(problems, f.boundFaults()...)
}

// options reads the headers that change an increment. It answers, and returns false, when one asks for what cannot be.
func options(ctx *fasthttp.RequestCtx, in *node.Increment) bool {
	header := &ctx.Request.Header
	if header.PeekCanonical(headerPrefer) != nil {
		in.Return = wantsRepresentation(header.PeekAll("Prefer"))
	}
	if value := header.PeekCanonical(headerDurability); value != nil {
		level, ok := parseDurability(value)
		if !ok || len(header.PeekAll("Durability")) > 1 {
			refuse(ctx, fasthttp.StatusBadRequest, problem{"durability", "must be one of memory, disk, replica and database"})
			return false
		}
		in.Durability = level
	}
	return true
}

// idempotency reads the Idempotency-Key header. It answers, and returns false, when it is none.
func idempotency(ctx *fasthttp.RequestCtx, in *node.Increment) bool {
	header := &ctx.Request.Header
	if value := header.PeekCanonical(headerIdempotency); value != nil {
		id, ok := parseIdempotencyKey(value)
		if !ok || len(header.PeekAll("Idempotency-Key")) > 1 {
			refuse(ctx, fasthttp.StatusBadRequest, problem{"idempotency_key", textBadID})
			return false
		}
		in.ID = id
	}
	return true
}

// refuseBody answers a body that holds no increment. The prototype treats a body without fields as one whose fields are
// missing, and so does this; what is no JSON at all is told apart by what the client probably meant.
func refuseBody(ctx *fasthttp.RequestCtx, err error) {
	switch {
	case encoded(ctx):
		refuseEncoding(ctx)
	case err == errNoObject:
		refuse(ctx, fasthttp.StatusUnprocessableEntity,
			problem{"key", textBlank}, problem{"value", textBlank}, problem{detail, err.Error()})
	case looksLikeForm(ctx.PostBody()):
		refuse(ctx, fasthttp.StatusBadRequest, problem{
			detail,
			`the body is a form, but must be JSON such as {"key":"page:1","value":3}`,
		})
	default:
		refuse(ctx, fasthttp.StatusBadRequest, problem{detail, err.Error()})
	}
}

// encoded tells whether the client announced a compressed body.
func encoded(ctx *fasthttp.RequestCtx) bool {
	encoding := ctx.Request.Header.ContentEncoding()
	return len(encoding) > 0 && !equalFold(encoding, "identity")
}

func refuseEncoding(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Accept-Encoding", "identity")
	refuse(ctx, fasthttp.StatusUnsupportedMediaType, problem{detail, "send the body without a content encoding"})
}

// looksLikeForm tells whether a body that is no JSON starts like key=a&value=1 or like a multipart form. The header does
// not tell: curl -d announces a form whatever it sends.
func looksLikeForm(body []byte) bool {
	if bytes.HasPrefix(body, []byte("--")) {
		return true
	}
	for i, c := range body {
		switch {
		case c == '=':
			return i > 0
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '-', c == '.', c == '%', c == '+', c == '[', c == ']':
		default:
			return false
		}
	}
	return false
}
