package httpapi

import (
	"errors"
	"strconv"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// total answers GET /api/v1/increment/{key}: {"data":{"value":3}}.
func (s *Server) total(ctx *fasthttp.RequestCtx, raw []byte) {
	scratch := s.scratches.get()
	defer s.scratches.put(scratch)
	key, ok := pathKey(ctx, raw, scratch)
	if !ok || !s.mayKey(ctx, key) {
		return
	}
	reading, err := s.service.Total(key)
	if err != nil {
		s.failed(ctx, routeTotal, err)
		return
	}
	body := append(make([]byte, 0, 64), `{"data":{"value":`...)
	body = strconv.AppendInt(body, reading.Value, 10)
	writeReading(ctx, reading, append(body, `}}`...))
}

// counter answers GET /api/v1/counters/{key}: {"data":{"key":"a","value":3,"persisted":2}}, with null for persisted when
// the store could not be read.
func (s *Server) counter(ctx *fasthttp.RequestCtx, raw []byte) {
	scratch := s.scratches.get()
	defer s.scratches.put(scratch)
	key, ok := pathKey(ctx, raw, scratch)
	if !ok || !s.mayKey(ctx, key) {
		return
	}
	counted, err := s.service.Counter(key)
	if err != nil {
		s.failed(ctx, routeCounter, err)
		return
	}
	body := append(make([]byte, 0, 128), `{"data":{"key":`...)
	body = appendString(body, key)
	body = append(body, `,"value":`...)
	body = strconv.AppendInt(body, counted.Value, 10)
	body = append(body, `,"persisted":`...)
	if counted.HasPersisted {
		body = strconv.AppendInt(body, counted.Persisted, 10)
	} else {
		body = append(body, "null"...)
	}
	writeReading(ctx, counted.Reading, append(body, `}}`...))
}

// pathKey returns the key of a path. It answers, and returns false, when there is none.
func pathKey(ctx *fasthttp.RequestCtx, raw []byte, scratch *[]byte) ([]byte, bool) {
	key, err := unescapePath((*scratch)[:0], raw)
	if err != nil {
		refuse(ctx, fasthttp.StatusBadRequest, problem{detail, err.Error()})
		return nil, false
	}
	*scratch = key
	switch {
	case len(key) == 0:
		refuse(ctx, fasthttp.StatusUnprocessableEntity, problem{"key", textBlank})
	case !validKey(key):
		refuse(ctx, fasthttp.StatusUnprocessableEntity, problem{"key", textInvalid})
	default:
		return key, true
	}
	return nil, false
}

// writeReading answers a total. A cache between must not keep it, and one that may be behind says so.
func writeReading(ctx *fasthttp.RequestCtx, reading node.Reading, body []byte) {
	ctx.Response.Header.Set("Cache-Control", "no-store")
	if reading.Stale {
		ctx.Response.Header.Set("Warning", `110 - "Response is Stale"`)
	}
	writeJSON(ctx, fasthttp.StatusOK, body)
}

// readiness remembers the last answer of /readyz, to log changes and only those.
type readiness struct {
	sync.Mutex
	known, ready bool
}

// note stores what is and tells whether it is new.
func (r *readiness) note(ready bool) (changed bool) {
	r.Lock()
	defer r.Unlock()
	changed = !r.known || r.ready != ready
	r.known, r.ready = true, ready
	return changed
}

// readyz answers GET /readyz. The reason of a node that is not ready may hold addresses and the database's words: it goes
// to the log, once, and not to whoever asks.
func (s *Server) readyz(ctx *fasthttp.RequestCtx) {
	if s.draining.Load() {
		setRetryAfter(ctx, retrySoon)
		refuse(ctx, fasthttp.StatusServiceUnavailable, problem{detail, "this node is stopping: use another node"})
		return
	}
	err := s.service.Ready()
	if s.ready.note(err == nil) {
		if err != nil {
			s.log.Warn("not ready", "reason", err)
		} else {
			s.log.Info("ready")
		}
	}
	if err != nil {
		text := "this node is not ready, its log says why: use another node, or ask again"
		switch {
		case errors.Is(err, node.ErrStoreDown):
			text = "this node is not ready: the database cannot be reached, its log says more; use another node, or ask again"
		case errors.Is(err, node.ErrLogFailed):
			text = "this node is not ready: its log on disk has failed or is full, and it will not be ready before somebody makes room or replaces the disk, and restarts it; use another node"
		}
		setRetryAfter(ctx, retrySoon)
		refuse(ctx, fasthttp.StatusServiceUnavailable, problem{detail, text})
		return
	}
	writeJSON(ctx, fasthttp.StatusOK, []byte(`{"data":{"status":"ready"}}`))
}
