package httpapi

import (
	"errors"
	"math"
	"strconv"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// add answers an increment with bounds, whose headers have been read into in: {"data":{"key":"a","value":10,"applied":2}}, the total just
// after it and what was added. Rejected, it is a 409: {"errors":{"max":["…"]},"data":{"key":"a","value":9,"applied":0}}.
func (s *Server) add(ctx *fasthttp.RequestCtx, r route, in node.Increment, command node.Command) {
	result, err := s.service.Change(node.Change{Key: in.Key, Command: command, Durability: in.Durability, ID: in.ID})
	switch {
	case errors.Is(err, node.ErrOutOfBounds):
		writeJSON(ctx, fasthttp.StatusConflict, appendRejected(make([]byte, 0, 256), in.Key, &command, result.Before))
		return
	case err != nil:
		s.failed(ctx, r, err)
		return
	}
	if in.Return {
		ctx.Response.Header.Set("Preference-Applied", "return=representation")
	}
	body := append(make([]byte, 0, 128), '{')
	body = appendApplied(body, in.Key, result.Before+result.Delta, result.Delta)
	writeChanged(ctx, result, append(body, '}'))
}

// appendRejected appends the answer to an increment that would have passed its bound: both the error and what the total is.
func appendRejected(body, key []byte, c *node.Command, total int64) []byte {
	name, bound := "max", c.Max
	if c.Value < 0 {
		name, bound = "min", c.Min
	}
	text := "is " + strconv.FormatInt(bound, 10) + ", which the total (" + strconv.FormatInt(total, 10) + ") would pass with this value: nothing was counted"
	body = appendProblems(append(body, '{'), problem{name, text})
	return append(appendApplied(append(body, ','), key, total, 0), '}')
}

// appendApplied appends "data":{"key":"a","value":10,"applied":2}.
func appendApplied(body, key []byte, value, applied int64) []byte {
	body = append(body, `"data":{"key":`...)
	body = appendString(body, key)
	body = append(body, `,"value":`...)
	body = strconv.AppendInt(body, value, 10)
	body = append(body, `,"applied":`...)
	return append(strconv.AppendInt(body, applied, 10), '}')
}

// set answers PUT /api/v1/counters/{key}, body {"value": 5}: {"data":{"key":"a","value":5,"previous":7}}.
func (s *Server) set(ctx *fasthttp.RequestCtx, raw []byte) {
	if !s.withinRate(ctx, 1) {
		return
	}
	f, err := read(ctx.PostBody())
	if err != nil && err != errNoObject {
		refuseBody(ctx, err)
		return
	}
	value, integer := f.value.integer()
	switch {
	case f.bounded():
		problems := []problem{}
		for _, name := range f.boundFields() {
			problems = append(problems, problem{name, "is for increments, and the counter was left as it is: send the value without it"})
		}
		refuse(ctx, fasthttp.StatusUnprocessableEntity, problems...)
	case f.value.blank():
		refuse(ctx, fasthttp.StatusUnprocessableEntity, problem{"value", textBlank})
	case !integer:
		refuse(ctx, fasthttp.StatusUnprocessableEntity, problem{"value", textInvalid})
	default:
		s.setTo(ctx, raw, value)
	}
}

// reset answers DELETE /api/v1/counters/{key} as a PUT of 0.
func (s *Server) reset(ctx *fasthttp.RequestCtx, raw []byte) {
	if s.withinRate(ctx, 1) {
		s.setTo(ctx, raw, 0)
	}
}

func (s *Server) setTo(ctx *fasthttp.RequestCtx, raw []byte, value int64) {
	scratch := s.scratches.get()
	defer s.scratches.put(scratch)
	key, ok := pathKey(ctx, raw, scratch)
	var in node.Increment
	if !ok || !s.mayKey(ctx, key) || !options(ctx, &in) || !idempotency(ctx, &in) {
		return
	}
	command := node.Command{Set: true, Value: value, Min: math.MinInt64, Max: math.MaxInt64}
	result, err := s.service.Change(node.Change{Key: key, Command: command, Durability: in.Durability, ID: in.ID})
	if err != nil {
		s.failed(ctx, routeCounter, err)
		return
	}
	body := append(make([]byte, 0, 128), `{"data":{"key":`...)
	body = appendString(body, key)
	body = append(body, `,"value":`...)
	body = strconv.AppendInt(body, value, 10)
	body = append(body, `,"previous":`...)
	body = strconv.AppendInt(body, result.Before, 10)
	writeChanged(ctx, result, append(body, `}}`...))
}

func writeChanged(ctx *fasthttp.RequestCtx, result node.Changed, body []byte) {
	if result.Replayed {
		ctx.Response.Header.Set("Idempotency-Replayed", "true")
	}
	writeJSON(ctx, fasthttp.StatusOK, body)
}
