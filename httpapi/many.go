package httpapi

import (
	"cmp"
	"strconv"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/access"
	"github.com/pinocchio-nose/pinocchio/node"
)

// maxItems is how many increments one request may hold.
const maxItems = 10_000

// batch is the work of one request with many increments. It is used again: one item costs no allocation.
type batch struct {
	grant   *access.Grant // of the request
	lines   bool          // one object a line, else an array
	items   int
	in      []node.Increment // the items without fault, in order
	out     []node.Outcome   // of in
	refused []refusedItem    // the others, in order
	scratch []byte
	answer  []byte
}

// refusedItem is an item that the node is not asked about.
type refusedItem struct {
	at       int // place among the items
	status   int
	problems []problem
}

type batchPool struct{ pool sync.Pool }

func (p *batchPool) get() *batch {
	if b, ok := p.pool.Get().(*batch); ok {
		return b
	}
	return new(batch)
}

// put takes b back. Nothing may point into the request any more.
func (p *batchPool) put(b *batch) {
	clear(b.in)
	clear(b.out)
	clear(b.refused)
	b.in, b.out, b.refused, b.items, b.grant = b.in[:0], b.out[:0], b.refused[:0], 0, nil
	p.pool.Put(b)
}

// incrementMany answers POST /api/v1/increments. Everything is read before anything is counted.
func (s *Server) incrementMany(ctx *fasthttp.RequestCtx) {
	var all node.Increment
	if !options(ctx, &all) {
		return
	}
	if ctx.Request.Header.PeekCanonical(headerIdempotency) != nil {
		refuse(ctx, fasthttp.StatusBadRequest, problem{
			"idempotency_key",
			`is for a single increment: give each item an "id" instead, such as {"key":"page:1","value":3,"id":"order-17"}`,
		})
		return
	}
	if encoded(ctx) { // whatever its bytes are, its lines are none
		refuseEncoding(ctx)
		return
	}
	b := s.batches.get()
	defer s.batches.put(b)
	b.grant = s.grantOf(ctx)
	if err := b.read(ctx.PostBody()); err != nil {
		refuseBatch(ctx, err)
		return
	}
	if !s.withinRate(ctx, b.items) {
		return
	}
	for i := range b.in {
		b.in[i].Durability, b.in[i].Return = all.Durability, all.Return
	}
	b.out = append(b.out, make([]node.Outcome, len(b.in))...)
	s.service.IncrementMany(b.in, b.out)
	if all.Return {
		ctx.Response.Header.Set("Preference-Applied", "return=representation")
	}
	s.answerMany(ctx, b)
}

// refuseBatch answers a body that cannot be read as a whole: nothing of it was counted.
func refuseBatch(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusBadRequest
	if err == errManyItems {
		status = fasthttp.StatusRequestEntityTooLarge
	}
	refuse(ctx, status, problem{detail, err.Error()})
}

// answerMany writes what became of each item, in the form in which the items came.
func (s *Server) answerMany(ctx *fasthttp.RequestCtx, b *batch) {
	body, open, between, end := b.answer[:0], "[", ",", "]"
	contentType := "application/json; charset=utf-8"
	if b.lines {
		open, between, end, contentType = "", "\n", "\n", "application/x-ndjson; charset=utf-8"
	}
	body = append(body, open...)
	asked, refused := 0, b.refused
	faults, fault := 0, error(nil)
	for i := range b.items {
		if i > 0 {
			body = append(body, between...)
		}
		if len(refused) > 0 && refused[0].at == i {
			body = appendRefused(body, refused[0].status, refused[0].problems...)
			refused = refused[1:]
			continue
		}
		if err := b.out[asked].Err; err != nil {
			f, known := s.failureOf(err)
			if body = appendRefused(body, f.status, f.problem); !known {
				faults, fault = faults+1, cmp.Or(fault, err)
			}
		} else {
			body = appendCounted(body, &b.in[asked], b.out[asked].Result)
		}
		asked++
	}
	if faults > 0 { // one line, however many there are
		s.log.Error("items of a request failed", "route", routeMany.String(), "count", faults, "first", fault)
	}
	b.answer = append(body, end...)
	writeJSON(ctx, fasthttp.StatusOK, b.answer)
	ctx.SetContentType(contentType)
}

// appendCounted appends {"status":202}, or {"status":200,"data":{"key":"a","value":7}} when the total was asked for and is
// known.
func appendCounted(body []byte, in *node.Increment, result node.Result) []byte {
	if in.Return && result.HasTotal && !result.Later {
		body = append(body, `{"status":200,"data":{"key":`...)
		body = appendString(body, in.Key)
		body = append(body, `,"value":`...)
		body = strconv.AppendInt(body, result.Total, 10)
		body = append(body, '}')
	} else {
		body = append(body, `{"status":202`...)
	}
	if result.Later {
		body = append(body, `,"counted":"later"`...)
	}
	if result.Replayed {
		body = append(body, `,"replayed":true`...)
	}
	return append(body, '}')
}

func appendRefused(body []byte, status int, problems ...problem) []byte {
	body = append(body, `{"status":`...)
	body = strconv.AppendInt(body, int64(status), 10)
	body = append(body, ',')
	return append(appendProblems(body, problems...), '}')
}
