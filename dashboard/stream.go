package dashboard

import (
	"bufio"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

const (
	maxWatchers = 32 // streams at a time
	maxWaiting  = 4  // events that wait for a slow reader before it is dropped
	period      = time.Second
)

// watcher is one open page.
type watcher struct {
	events chan []byte // closed when the watcher is dropped, or the page's server ends
}

// stream answers with events until the client goes, falls behind, may not watch any more, or Close.
func (d *Dashboard) stream(ctx *fasthttp.RequestCtx, still func() bool) {
	ctx.SetContentType("text/event-stream")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.Set("X-Accel-Buffering", "no") // a proxy that collects answers would never send this one
	if ctx.IsHead() {
		return
	}
	w := d.join()
	if w == nil {
		ctx.Response.Header.Set("Retry-After", "5")
		ctx.SetContentType("text/plain; charset=utf-8")
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		ctx.SetBodyString("too many live pages are open at this node, or it is stopping: close one, or use another node")
		return
	}
	ctx.SetBodyStreamWriter(func(out *bufio.Writer) {
		defer d.leave(w)
		for event := range w.events {
			if !still() {
				return
			}
			_, _ = out.WriteString("data: ")
			_, _ = out.Write(event) // JSON without a line break
			_, _ = out.WriteString("\n\n")
			if out.Flush() != nil {
				return
			}
		}
	})
}

// join adds a watcher, whose first event holds the history, and begins to collect if it is the first; nil: it is refused.
func (d *Dashboard) join() *watcher {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed || len(d.mu.watchers) >= maxWatchers {
		return nil
	}
	w := &watcher{events: make(chan []byte, maxWaiting)}
	d.mu.watchers[w] = struct{}{}
	if d.mu.stop == nil {
		d.mu.stop = make(chan struct{})
		d.mu.history = history{}
		stop := d.mu.stop
		d.collecting.Go(func() { d.collect(stop) })
	} else if full := d.mu.history.full(); full != nil {
		w.events <- full
	}
	return w
}

// leave takes a watcher out; collecting ends with the last one.
func (d *Dashboard) leave(w *watcher) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop(w)
	if len(d.mu.watchers) == 0 {
		d.rest()
	}
}

// drop ends a watcher's stream, once. The lock is held.
func (d *Dashboard) drop(w *watcher) {
	if _, there := d.mu.watchers[w]; there {
		delete(d.mu.watchers, w)
		close(w.events)
	}
}

// rest ends the collecting goroutine. The lock is held.
func (d *Dashboard) rest() {
	if d.mu.stop != nil {
		close(d.mu.stop)
		d.mu.stop = nil
	}
}

// Close ends all streams and refuses new ones. It returns when nothing is collected any more.
func (d *Dashboard) Close() {
	d.mu.Lock()
	d.mu.closed = true
	for w := range d.mu.watchers {
		d.drop(w)
	}
	d.rest()
	d.mu.Unlock()
	d.collecting.Wait()
}

// collect asks the cluster once a second and tells all watchers.
func (d *Dashboard) collect(stop <-chan struct{}) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	var h history // take makes its parts anew, so that a copy stays as it is
	for {
		status := d.service.Live(h.since())
		news := h.take(status)
		event, err := json.Marshal(news)
		if err != nil { // nothing in it can fail: a broken invariant must be seen
			d.log.Error("the live page's event cannot be written", "error", err)
			event = []byte("{}")
		}
		if !d.publish(stop, h, event) {
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// publish gives every watcher the event, and drops who has not read the last ones. false: this collection has ended.
func (d *Dashboard) publish(stop <-chan struct{}, h history, event []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-stop:
		return false
	default:
	}
	d.mu.history = h
	for w := range d.mu.watchers {
		select {
		case w.events <- event:
		default:
			d.drop(w)
		}
	}
	if len(d.mu.watchers) == 0 {
		d.rest()
		return false
	}
	return true
}
