package node

import (
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/seal"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// peerServer serves the other nodes.
func (n *Node) peerServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:               n.servePeer,
		Name:                  "pinocchio-peer",
		MaxRequestBodySize:    peerBodies,
		ReadTimeout:           time.Minute, // of an idle connection as well; links reconnect
		WriteTimeout:          10 * time.Second,
		CloseOnShutdown:       true,
		NoDefaultDate:         true,
		NoDefaultContentType:  true,
		NoDefaultServerHeader: true,
		Logger:                quiet{n.log},
		Concurrency:           4096,
	}
}

// servePeer answers one message of another node. Who cannot sign is told nothing but that (R13); every other answer is signed.
func (n *Node) servePeer(ctx *fasthttp.RequestCtx) {
	path, body := string(ctx.Path()), ctx.PostBody()
	q, ok := n.auth.keys.Open(path, body, ctx.Request.Header.Peek(macHeader))
	if !ok {
		n.turnAway(ctx, fasthttp.StatusForbidden, n.count.strangers,
			"refused a message that is not signed with this cluster's secret: compare the secret files, or look who is at this port")
		return
	}
	n.serveSigned(ctx, &q, path, body)
	if header := q.Answer(ctx.Response.StatusCode(), ctx.Response.Body()); header != nil {
		ctx.Response.Header.SetBytesV(macHeader, header)
	}
}

// serveSigned answers a message whose signature is good, or that needs none.
func (n *Node) serveSigned(ctx *fasthttp.RequestCtx, q *seal.Question, path string, body []byte) {
	defer func() {
		if v := recover(); v != nil { // a broken invariant must be seen, not served
			n.log.Error("a message of another node made this node panic", "panic", v)
			ctx.Error("panic", fasthttp.StatusInternalServerError)
		}
	}()
	sealed := n.auth.keys.Required()
	h, rest, err := wire.DecodeHeader(body)
	switch {
	case !n.isMeant(ctx, q):
		n.turnAway(ctx, fasthttp.StatusMisdirectedRequest, n.count.misdirected,
			"refused a message for another process: its sender has yet to notice a restart, or somebody repeats messages")
	case err != nil:
		n.turnAway(ctx, fasthttp.StatusBadRequest, n.count.mangled,
			"refused a message that cannot be read: compare the versions of the nodes", "error", err)
	case h.Cluster != n.header().Cluster:
		n.turnAway(ctx, fasthttp.StatusConflict, n.count.strangers,
			"refused a message of another cluster, or of one with other settings: compare --cluster-name and --partitions", "sender", h.Sender)
	case sealed && !n.auth.taken.Take(h.Sender, q.Number):
		n.turnAway(ctx, statusTooEarly, n.count.repeated,
			"refused a message that was sent before: somebody repeats messages, or the network held it back for long", "sender", h.Sender)
	case path == batchPath:
		n.serveBatch(ctx, body)
	case path == readPath:
		n.serveReads(ctx, rest)
	case path == copyPath:
		n.serveCopies(ctx, h.Sender, rest)
	case path == livePath:
		n.serveLive(ctx, rest)
	case path == limitPath:
		n.serveLimits(ctx, rest)
	case path == commandPath:
		n.serveCommand(ctx, rest)
	default:
		ctx.Error("no such path", fasthttp.StatusNotFound)
	}
}

// isMeant says whether a message is for this process, and not for an earlier one at its address: what that one is told of its numbers is
// wrong of this one's (R6). Under a secret the signature says for whom it is, which nobody can change.
func (n *Node) isMeant(ctx *fasthttp.RequestCtx, q *seal.Question) bool {
	if n.auth.keys.Required() {
		return q.To == n.id
	}
	return string(ctx.Request.Header.Peek(toHeader)) == n.id.String()
}

// turnAway refuses a message, counts it, and logs it unless the same was logged just now.
func (n *Node) turnAway(ctx *fasthttp.RequestCtx, status int, count *metrics.Counter, why string, more ...any) {
	count.Inc()
	ctx.Error(why, status)
	n.seldom(why, append(more, "remote", ctx.RemoteAddr())...)
}

var batches = sync.Pool{New: func() any { return new(wire.Batch) }}

func (n *Node) serveBatch(ctx *fasthttp.RequestCtx, body []byte) {
	b := batches.Get().(*wire.Batch)
	defer batches.Put(b)
	if err := b.Decode(body); err != nil {
		n.count.mangled.Inc()
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	for _, r := range b.Routes {
		n.told(r)
	}
	for _, p := range b.Progress {
		if int(p.Partition) < len(n.slots.all) {
			n.slots.change(&n.slots.all[p.Partition], func(part *counter.Partition) { part.Persist(p.Number) })
		}
	}
	answers := make([]counter.Answer, 0, len(b.Sections))
	urgent := false
	for i := range b.Sections {
		s := &b.Sections[i]
		if int(s.Partition) >= len(n.slots.all) {
			n.count.mangled.Inc()
			ctx.Error("no such partition", fasthttp.StatusBadRequest)
			return
		}
		a, waited := n.handle(b.Origin, s)
		urgent = urgent || waited
		answers = append(answers, a)
	}
	if urgent {
		n.flusher.Kick()
	}
	ctx.Response.SetBodyRaw(wire.AppendAnswers(nil, answers))
}

// handle applies one section as the owner. urgent: somebody waits for the store to have it.
func (n *Node) handle(sender counter.Origin, s *counter.Section) (a counter.Answer, urgent bool) {
	var loading counter.Wanted
	load := false
	var epoch uint64
	sl := &n.slots.all[s.Partition]
	n.slots.change(sl, func(p *counter.Partition) {
		a, loading = p.Handle(sender, s, n.limits, n.loader.failing.Load())
		a.Results = slices.Clone(a.Results) // they belong to the partition, which goes on
		urgent = a.Code == counter.OK && wantsFlush(s)
		sl.urgent = sl.urgent || urgent
		_, epoch = p.Owner()
		load = !loading.Empty() && !sl.loading // a section that comes again while the read is under way asks for nothing more
		sl.loading = sl.loading || load
	})
	if load {
		n.loader.loadFor(sl, loading)
	}
	if a.Code == counter.Unknown || s.Epoch > epoch {
		n.refresh() // the sender knows something that this node does not
	}
	if a.Code == counter.OK {
		n.count.forwardedIn.Add(len(s.Ops))
		a.Doubt = !n.lease.trusted()
	}
	return a, urgent
}

func wantsFlush(s *counter.Section) bool {
	for i := range s.Ops {
		if s.Ops[i].Flags&counter.Urgent != 0 {
			return true
		}
	}
	return false
}

// told handles a peer's news of an owner. A partition that its owner handed to this node is to be acquired.
func (n *Node) told(r wire.Route) {
	if r.Owner != n.id {
		n.learn(r)
		return
	}
	if r.Graceful && int(r.Partition) < len(n.slots.all) {
		n.learn(r)
		n.handed.add(r.Partition, r.Epoch)
	}
}

func (n *Node) serveReads(ctx *fasthttp.RequestCtx, rest []byte) {
	keys, err := wire.DecodeReads(rest, nil)
	if err != nil {
		n.count.mangled.Inc()
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	out := make([]wire.ReadResult, len(keys))
	missing := n.readAll(keys, out)
	if len(missing) > 0 {
		c := n.loader.load(missing)
		select {
		case <-c.done:
		case <-time.After(loadTimeout):
		}
		n.readAll(keys, out)
		if n.loader.failing.Load() {
			for i := range out {
				if out[i].Code == wire.Again {
					out[i].Code = wire.Failed
				}
			}
		}
	}
	if !n.lease.trusted() {
		for i := range out {
			if out[i].Code == wire.Value {
				out[i].Code = wire.Doubtful
			}
		}
	}
	ctx.Response.SetBodyRaw(wire.AppendReadResults(nil, out))
}

// readAll reads the totals that this node knows, and returns the keys that must be read from the store first.
func (n *Node) readAll(asks []wire.Ask, out []wire.ReadResult) (missing map[uint32]counter.Wanted) {
	for i, a := range asks {
		hash := counter.Hash(a.Key)
		sl := n.slots.of(hash)
		absent := false
		sl.mu.Lock()
		if a.ID != "" {
			out[i], absent = idResult(sl.p.LookupID(a))
		} else {
			out[i], absent = totalResult(sl.p.Total(hash, a.Key))
		}
		sl.mu.Unlock()
		if !absent {
			continue
		}
		if missing == nil {
			missing = make(map[uint32]counter.Wanted)
		}
		w := missing[sl.p.ID()]
		w.Keys = append(w.Keys, a.Key)
		if a.ID != "" {
			w.IDs = append(w.IDs, a)
		}
		missing[sl.p.ID()] = w
	}
	return missing
}

// totalResult translates what the core says of a total; absent: it must be read from the store first.
func totalResult(v int64, state counter.ReadState) (r wire.ReadResult, absent bool) {
	switch state {
	case counter.Read:
		return wire.ReadResult{Code: wire.Value, Total: v}, false
	case counter.ReadMoved:
		return wire.ReadResult{Code: wire.Moved}, false
	case counter.ReadSettle:
		return wire.ReadResult{Code: wire.Again}, false
	}
	return wire.ReadResult{Code: wire.Again}, true
}

// idResult does the same for an idempotency key.
func idResult(row counter.IDRow, state counter.IDState) (r wire.ReadResult, absent bool) {
	r = wire.ReadResult{Total: row.Total, Fingerprint: row.Fingerprint}
	switch state {
	case counter.IDMoved:
		r.Code = wire.Moved
	case counter.IDAbsent:
		r.Code = wire.IDAbsent
	case counter.IDCounted:
		r.Code = wire.IDCounted
	case counter.IDStored:
		r.Code = wire.IDStored
	default:
		r.Code, absent = wire.Again, true
	}
	return r, absent
}
