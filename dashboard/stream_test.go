package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/pinocchio-nose/pinocchio/node"
)

const patience = 10 * time.Second

// teller is a cluster of one node, with one new point at each question.
type teller struct{ asked atomic.Int64 }

func (s *teller) Live(since map[string]int64) node.LiveStatus {
	t := s.asked.Add(1)
	out := node.LiveStatus{Owners: []string{"id-1", ""}, Nodes: []node.LiveNode{{ID: "id-1", Name: "n1"}}}
	out.Cluster.Members = []node.MemberStatus{{ID: "id-1", Name: "n1", Alive: true, LeaseLeft: time.Second}}
	for i := since["id-1"] + 1; i <= t; i++ {
		out.Nodes[0].Points = append(out.Nodes[0].Points, node.LivePoint{Time: i})
	}
	return out
}

// always is a credential that stays good.
func always() bool { return true }

// serve serves a page in memory until the test ends.
func serve(t *testing.T, s Service) (*Dashboard, *http.Client) {
	t.Helper()
	d := New(s, slog.New(slog.DiscardHandler))
	ln := fasthttputil.NewInmemoryListener()
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { d.Serve(ctx, always) }, Logger: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return ln.Dial() }}
	t.Cleanup(func() {
		d.Close()
		transport.CloseIdleConnections()
		_ = ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return d, &http.Client{Transport: transport, Timeout: patience}
}

// watch opens a stream; next reads one event.
func watch(t *testing.T, c *http.Client) (r *http.Response, next func() (event, error)) {
	t.Helper()
	r, err := c.Get("http://node" + Path + "/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Body.Close() })
	lines := bufio.NewReader(r.Body)
	return r, func() (e event, err error) {
		line, err := lines.ReadString('\n')
		if err != nil {
			return e, err
		}
		if _, err := lines.ReadString('\n'); err != nil {
			return e, err
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			return e, fmt.Errorf("no event: %q", line)
		}
		return e, json.Unmarshal([]byte(data), &e)
	}
}

func must(t *testing.T, next func() (event, error)) event {
	t.Helper()
	e, err := next()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestStream_BeginsWithAllThatWasCollectedAndGoesOnWithWhatIsNew(t *testing.T) {
	_, c := serve(t, &teller{})
	_, first := watch(t, c)
	if e := must(t, first); !e.Full || len(e.Owners) != 2 || e.Owners[0] != 0 || e.Owners[1] != -1 {
		t.Errorf("first event %+v", e)
	}
	if e := must(t, first); e.Full || len(e.Nodes[0].Points) != 1 {
		t.Errorf("second event %+v, want one point", e)
	}
	_, later := watch(t, c)
	if e := must(t, later); !e.Full || len(e.Nodes[0].Points) < 2 || e.Nodes[0].Points[0].Time != 1 {
		t.Errorf("the first event of a later page %+v, want all points", e)
	}
}

func TestStream_AsksNobodyWhenNobodyWatches(t *testing.T) {
	s := &teller{}
	d, c := serve(t, s)
	r, next := watch(t, c)
	must(t, next)
	_ = r.Body.Close()
	d.collecting.Wait() // ends when the stream has noticed, else the test runs out of time
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.stop != nil || len(d.mu.watchers) != 0 {
		t.Error("a watcher is left")
	}
}

func TestStream_RefusesTooManyAndEndsWithItsServer(t *testing.T) {
	d, c := serve(t, &teller{})
	var streams []func() (event, error)
	for range maxWatchers {
		_, next := watch(t, c)
		streams = append(streams, next)
	}
	if r, _ := watch(t, c); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
		t.Errorf("one stream too many: %s", r.Status)
	}
	d.Close()
	for _, next := range streams {
		for {
			if _, err := next(); err != nil {
				break
			}
		}
	}
	if r, _ := watch(t, c); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stream after the end: %s", r.Status)
	}
}

func TestPublish_DropsWhoDoesNotRead(t *testing.T) {
	d := New(&teller{}, slog.New(slog.DiscardHandler))
	d.mu.stop = make(chan struct{})
	slow, reader := &watcher{make(chan []byte, maxWaiting)}, &watcher{make(chan []byte, maxWaiting)}
	d.mu.watchers[slow], d.mu.watchers[reader] = struct{}{}, struct{}{}
	for range maxWaiting + 1 {
		if !d.publish(d.mu.stop, history{}, []byte("{}")) {
			t.Fatal("collecting ends although somebody reads")
		}
		<-reader.events
	}
	if _, there := d.mu.watchers[slow]; there || len(d.mu.watchers) != 1 {
		t.Errorf("%d watchers, slow among them: %v", len(d.mu.watchers), there)
	}
}

func TestHistory_IsBoundedAndForgetsWhoIsNoMemberAnyMore(t *testing.T) {
	s := &teller{}
	s.asked.Store(3 * maxPoints)
	var h history
	h.take(s.Live(nil))
	h.take(s.Live(h.since()))
	if got := len(h.points["id-1"]); got != maxPoints {
		t.Errorf("%d points, want %d", got, maxPoints)
	}
	h.take(node.LiveStatus{})
	if len(h.points) != 0 {
		t.Errorf("points of %d processes that are no members", len(h.points))
	}
}

func TestServe_GivesThePageItsFilesAndNothingElse(t *testing.T) {
	_, c := serve(t, &teller{})
	for path, want := range map[string]string{
		"":                     "text/html; charset=utf-8",
		"/":                    "text/html; charset=utf-8",
		"/main.js":             "text/javascript; charset=utf-8",
		"/style.css":           "text/css; charset=utf-8",
		"/icon.svg":            "image/svg+xml",
		"/static":              "",
		"/none":                "",
		"/%2e%2e/dashboard.go": "",
	} {
		r, err := c.Get("http://node" + Path + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if got := r.Header.Get("Content-Type"); (r.StatusCode == 200) != (want != "") || want != "" && got != want {
			t.Errorf("%q: %s, %s", path, r.Status, got)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("%q: policy %q", path, r.Header.Get("Content-Security-Policy"))
		}
	}
}
