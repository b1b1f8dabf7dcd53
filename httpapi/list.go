package httpapi

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"
)

// Counters on a page: without a limit, and at most.
const (
	defaultPage = 100
	maxPage     = 1000
)

// page is what GET /api/v1/counters asks for.
type page struct {
	prefix, after string
	limit         int
}

// list answers GET /api/v1/counters?prefix=&after=&limit=: {"data":[{"key":"a","value":3}],"next":"a"}. Next is what to send
// as after for the next page, null when there is none.
func (s *Server) list(ctx *fasthttp.RequestCtx) {
	p, ok := parsePage(ctx)
	if !ok || !s.mayKey(ctx, []byte(p.prefix)) {
		return
	}
	found, err := s.service.List(p.prefix, p.after, p.limit+1) // one more tells whether there is a next page
	if err != nil {
		s.failed(ctx, routeList, err)
		return
	}
	more := len(found) > p.limit
	found = found[:min(len(found), p.limit)]
	body := append(make([]byte, 0, 64*(len(found)+1)), `{"data":[`...)
	for i, kv := range found {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"key":`...)
		body = appendString(body, kv.Key)
		body = append(body, `,"value":`...)
		body = append(strconv.AppendInt(body, kv.Value, 10), '}')
	}
	body = append(body, `],"next":`...)
	if more {
		body = appendString(body, found[len(found)-1].Key)
	} else {
		body = append(body, "null"...)
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	writeJSON(ctx, fasthttp.StatusOK, append(body, '}'))
}

// parsePage reads the query. It answers, and returns false, when it asks for what cannot be.
func parsePage(ctx *fasthttp.RequestCtx) (page, bool) {
	p := page{limit: defaultPage}
	_, query, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte("?"))
	for len(query) > 0 {
		var parameter []byte
		parameter, query, _ = bytes.Cut(query, []byte("&"))
		name, raw, _ := bytes.Cut(parameter, []byte("="))
		value, err := unescapePath(nil, raw) // as in a path, a plus is a plus
		if err != nil {
			refuse(ctx, fasthttp.StatusBadRequest, problem{detail, err.Error()})
			return page{}, false
		}
		if fault := p.set(string(name), value); fault != "" {
			refuse(ctx, fasthttp.StatusUnprocessableEntity, problem{string(name), fault})
			return page{}, false
		}
	}
	return p, true
}

// set stores a parameter, or returns what is wrong with it.
func (p *page) set(name string, value []byte) (fault string) {
	switch name {
	case "prefix", "after":
		if len(value) > 0 && !validKey(value) {
			return textInvalid
		}
		if name == "prefix" {
			p.prefix = string(value)
		} else {
			p.after = string(value)
		}
	case "limit":
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 1 || n > maxPage {
			return "must be from 1 to " + strconv.Itoa(maxPage)
		}
		p.limit = n
	case "":
	default:
		return "is no parameter of this path: it takes prefix, after and limit"
	}
	return ""
}
