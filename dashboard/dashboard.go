package dashboard

import (
	"embed"
	"log/slog"
	"path"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/node"
)

// Path is where the page is; its files and its stream of events are below.
const Path = "/dashboard"

// Service is the node that the page asks.
type Service interface {
	// Live returns what is known of the whole cluster, in less than a second. since holds the time of the last point that the
	// caller has of each node, by ID.
	Live(since map[string]int64) node.LiveStatus
}

//go:embed static
var static embed.FS

// policy allows the page its own files and nothing else.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// Dashboard serves the page of one node. Its methods are safe for concurrent use.
type Dashboard struct {
	service Service
	log     *slog.Logger

	mu struct {
		sync.Mutex
		watchers map[*watcher]struct{}
		history  history
		closed   bool
		stop     chan struct{} // ends the collecting goroutine; nil: there is none
	}
	collecting sync.WaitGroup
}

// New returns the page of a node. It starts nothing.
func New(service Service, log *slog.Logger) *Dashboard {
	d := &Dashboard{service: service, log: log}
	d.mu.watchers = make(map[*watcher]struct{})
	return d
}

// Serve answers GET and HEAD of Path and of all below it. A stream of events ends when still, which is asked before each, says that
// whoever opened it may not watch any more: a token that was taken back must not show everybody's keys for as long as a tab is open.
func (d *Dashboard) Serve(ctx *fasthttp.RequestCtx, still func() bool) {
	h := &ctx.Response.Header
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	name := strings.TrimPrefix(strings.TrimPrefix(string(ctx.Path()), Path), "/")
	switch name {
	case "events":
		d.stream(ctx, still)
		return
	case "":
		name = "index.html" // it names its files by whole paths: with and without a slash at the end
	}
	file, err := static.ReadFile(path.Join("static", path.Clean("/"+name)))
	if err != nil {
		ctx.SetStatusCode(fasthttp.StatusNotFound) // ctx.Error would take the headers back
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetBodyString("there is nothing at this path: the page is at " + Path)
		return
	}
	ctx.SetContentType(mimeOf(name))
	ctx.SetBody(file)
}

// mimeOf returns the type of one of the page's files.
func mimeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
