package httpapi

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// problem is one entry of an error body: the field it is about ("detail" when it is about none), and what is wrong and
// what to do.
type problem struct {
	field, text string
}

// Texts of the prototype, which its clients may compare.
const (
	textBlank   = "can't be blank"
	textInvalid = "is invalid"
)

// textItemBound refuses a bound: a client that sends one relies on it, and to ignore it would count beyond it.
const textItemBound = "is not for one of many increments, and it was not counted: send it by itself to POST /api/v1/increment"

// detail is the field of a problem that is about no field.
const detail = "detail"

// failure says how an error of the Service is answered.
type failure struct {
	err        error
	status     int
	retryAfter int // seconds; 0: no Retry-After header
	problem
}

// retrySoon is the Retry-After, in seconds, of what a short wait usually cures: a lease, a flush, a start.
const retrySoon = 1

// retryLater is the Retry-After, in seconds, of what takes a node to start or somebody to act.
const retryLater = 5

// failureTable is the one place where the node's errors become statuses. The levels are those that this node can reach.
func failureTable(levels []node.Durability) []failure {
	return []failure{
		{
			node.ErrNotReady, fasthttp.StatusServiceUnavailable, retrySoon,
			problem{detail, "this node is starting or stopping and did not take the request: send it again, or to another node"},
		},
		{
			node.ErrOverloaded, fasthttp.StatusServiceUnavailable, retrySoon,
			problem{detail, "too many increments are waiting for the database, and this one was not counted: send it again later"},
		},
		{
			node.ErrUnreachable, fasthttp.StatusServiceUnavailable, retrySoon,
			problem{detail, "the node that owns this key cannot be reached at the moment: send the request again"},
		},
		{
			node.ErrStoreDown, fasthttp.StatusServiceUnavailable, retrySoon,
			problem{detail, "the database cannot be read at the moment: send the request again"},
		},
		{
			node.ErrOutOfRange, fasthttp.StatusUnprocessableEntity, 0,
			problem{"value", "would take the total out of the range of a 64-bit integer: the counter was left as it is"},
		},
		{
			node.ErrDurabilityTimeout, fasthttp.StatusGatewayTimeout, 0,
			problem{detail, "the increment is held and will be counted, but the durability was not reached in time: do not send it again without an Idempotency-Key, it would count twice"},
		},
		{
			// The reason that the node gives may hold paths and the system's words: it goes to the node's own log.
			node.ErrDurabilityUnavailable, fasthttp.StatusServiceUnavailable, retryLater,
			problem{"durability", "is not available on this node, its log says why, and nothing was counted: use another node, or use " + listLevels(levels)},
		},
		{
			node.ErrTooFewNodes, fasthttp.StatusServiceUnavailable, retryLater,
			problem{"durability", "needs a second node to hold a copy, there is none at the moment, and nothing was counted: send it again later, or ask for another durability"},
		},
		{
			node.ErrIDReused, fasthttp.StatusUnprocessableEntity, 0,
			problem{"idempotency_key", "was used for another increment of this counter, and nothing was counted: use a new one for each increment"},
		},
	}
}

// commandTable is the same for the errors that only commands have.
func commandTable() []failure {
	return []failure{
		{
			node.ErrOutOfBounds, fasthttp.StatusConflict, 0,
			problem{detail, "the total would pass the bound: nothing was counted"},
		},
		{
			node.ErrTooFar, fasthttp.StatusUnprocessableEntity, 0,
			problem{"value", "is too far from the present total for one change of 64 bits, and the counter was left as it is: set it to 0, and a second later to the value"},
		},
		{
			node.ErrInDoubt, fasthttp.StatusGatewayTimeout, 0,
			problem{detail, "this may have been counted, or may be yet: no answer of the key's owner came in time, or not the asked durability, or its Idempotency-Key counts with another total. " +
				"A PUT or DELETE may be sent again, an increment with the same Idempotency-Key too; without one read the counter first"},
		},
	}
}

// listLevels names levels in a sentence.
func listLevels(levels []node.Durability) string {
	names := make([]string, len(levels))
	for i, level := range levels {
		names[i] = durabilityName(level)
	}
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// failed answers an error of the Service. What the table does not know is a fault of this node: it goes to the log, and
// the client learns nothing of it.
func (s *Server) failed(ctx *fasthttp.RequestCtx, r route, err error) {
	f, known := s.failureOf(err)
	if !known {
		s.log.Error("request failed", "route", r.String(), "err", err)
	}
	if f.retryAfter > 0 {
		setRetryAfter(ctx, f.retryAfter)
	}
	refuse(ctx, f.status, f.problem)
}

// failureOf returns the table's entry of err, or that of a fault of this node.
func (s *Server) failureOf(err error) (f failure, known bool) {
	for _, f := range s.failures {
		if errors.Is(err, f.err) {
			return f, true
		}
	}
	return failure{status: fasthttp.StatusInternalServerError, problem: internalError}, false
}

var internalError = problem{detail, "internal error: this node's log says more"}

func setRetryAfter(ctx *fasthttp.RequestCtx, seconds int) {
	ctx.Response.Header.Set("Retry-After", strconv.Itoa(seconds))
}

// refuse answers with an error body: {"errors":{"key":["can't be blank"]}}. At most one problem for each field.
func refuse(ctx *fasthttp.RequestCtx, status int, problems ...problem) {
	body := appendProblems(append(make([]byte, 0, 256), '{'), problems...)
	writeJSON(ctx, status, append(body, '}'))
}

// appendProblems appends "errors":{"key":["can't be blank"]}.
func appendProblems(body []byte, problems ...problem) []byte {
	body = append(body, `"errors":{`...)
	for i, p := range problems {
		if i > 0 {
			body = append(body, ',')
		}
		body = appendString(body, p.field)
		body = append(body, `:[`...)
		body = appendString(body, p.text)
		body = append(body, ']')
	}
	return append(body, '}')
}

// writeJSON answers with a body of JSON. It copies body.
func writeJSON(ctx *fasthttp.RequestCtx, status int, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json; charset=utf-8")
	ctx.SetBody(body)
}

// appendString appends text as a JSON string. Bad UTF-8 becomes U+FFFD, as a text for people may hold any bytes.
func appendString[T string | []byte](dst []byte, text T) []byte {
	dst, _ = jsontext.AppendQuote(dst, text) // the error tells of bad UTF-8, which was replaced
	return dst
}

// unreadable is called by fasthttp for a request that it could not read. The connection is closed after the answer.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	ctx.Response.Reset()
	status, text := fasthttp.StatusBadRequest, "the request is not valid HTTP/1.1"
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
		text = "the request line and headers are too long: at most " + strconv.Itoa(s.cfg.MaxHeaderBytes) + " bytes"
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		s.refuseLarge(ctx)
		status, text = ctx.Response.StatusCode(), ""
	case isTimeout(err):
		status = fasthttp.StatusRequestTimeout
		text = "the request took too long to arrive and was not executed: send it again, within " + s.cfg.ReadTimeout.String()
	}
	if text != "" {
		refuse(ctx, status, problem{detail, text})
	}
	lingerAfter(ctx)
	s.metrics.observe(ctx.ConnID(), routeUnread, status, 0)
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// refusal is the whole answer to a connection that is one too many.
var refusal = []byte("HTTP/1.1 503 Service Unavailable\r\n" +
	"Server: pinocchio\r\n" +
	"Connection: close\r\n" +
	"Retry-After: 1\r\n" +
	"Content-Type: application/json; charset=utf-8\r\n" +
	"Content-Length: " + strconv.Itoa(len(refusalBody)) + "\r\n\r\n" + refusalBody)

const refusalBody = `{"errors":{"detail":["this node has as many connections as it may: try again, use another node, or keep connections open"]}}`
