package httpapi

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/internal/expo"
)

// Names of the metrics.
const (
	metricRequests = "pinocchio_http_requests_total"
	metricDuration = "pinocchio_http_request_duration_seconds"
	metricInFlight = "pinocchio_http_requests_in_flight"
	metricOpen     = "pinocchio_http_connections_open"
	metricRefused  = "pinocchio_http_connections_refused_total"
	metricTimedOut = "pinocchio_http_connections_timed_out_total"
	metricPanics   = "pinocchio_http_panics_total"
	metricNoTLS    = "pinocchio_http_tls_handshake_failures_total"
	metricReload   = "pinocchio_last_reload_successful"
)

func families() expo.Table {
	return expo.Table{
		{Name: metricRequests, Type: expo.TypeCounter, Help: "Requests answered, by route and status; the route unread is of those that could not be read."},
		{Name: metricDuration, Type: expo.TypeHistogram, Help: "Time from a request's last byte to its answer, by route and status; zero for the route unread."},
		{Name: metricInFlight, Type: expo.TypeGauge, Help: "Requests that are being answered."},
		{Name: metricOpen, Type: expo.TypeGauge, Help: "Connections of clients that are open."},
		{Name: metricRefused, Type: expo.TypeCounter, Help: "Connections refused because too many were open."},
		{Name: metricTimedOut, Type: expo.TypeCounter, Help: "Connections ended because they were idle, slow to send or slow to read for too long."},
		{Name: metricPanics, Type: expo.TypeCounter, Help: "Requests that ended in a panic of this program."},
		{Name: metricNoTLS, Type: expo.TypeCounter, Help: "Connections closed because the client and this node did not agree on TLS."},
		{Name: metricReload, Type: expo.TypeGauge, Help: "1 while what is in force of a kind of files is what they hold; 0 when they changed and cannot be used."},
	}
}

// statuses are those that the API answers with. An array, since a status is looked up for every request.
var statuses = [...]int{
	fasthttp.StatusAccepted, fasthttp.StatusOK, fasthttp.StatusBadRequest, fasthttp.StatusNotFound,
	fasthttp.StatusMethodNotAllowed, fasthttp.StatusRequestTimeout, fasthttp.StatusRequestEntityTooLarge,
	fasthttp.StatusUnsupportedMediaType, fasthttp.StatusUnprocessableEntity, fasthttp.StatusRequestHeaderFieldsTooLarge,
	fasthttp.StatusInternalServerError, fasthttp.StatusServiceUnavailable,
	fasthttp.StatusGatewayTimeout, fasthttp.StatusUnauthorized, fasthttp.StatusForbidden, fasthttp.StatusTooManyRequests,
	fasthttp.StatusConflict,
	statusOther,
}

// statusOther stands for any status that is not in the table, so that no answer goes uncounted. A test sees to it that it
// is never needed.
const statusOther = 0

// durationBounds reach from an increment that the node owns itself (microseconds) to one that waits for the database.
func durationBounds() []time.Duration {
	const us, ms = time.Microsecond, time.Millisecond
	return []time.Duration{
		10 * us, 25 * us, 50 * us, 100 * us, 250 * us, 500 * us, 1 * ms, 2500 * us, 5 * ms, 10 * ms, 25 * ms, 50 * ms,
		100 * ms, 250 * ms, 500 * ms, 1000 * ms, 2500 * ms, 5000 * ms, 10000 * ms,
	}
}

// instruments are the metrics of one server.
//
// What each request updates is striped by connection and has no lock: the library's histogram takes a mutex, which all
// connections would share. What is rare uses the library.
type instruments struct {
	set       *metrics.Set
	durations [routeCount][len(statuses)]*expo.Histogram // its counts are the requests as well
	panics    *metrics.Counter
	refused   *metrics.Counter
	timedOut  *metrics.Counter
	noTLS     *metrics.Counter
}

func newInstruments(conns *registry, reloads []Reload) *instruments {
	set := metrics.NewSet()
	m := &instruments{
		set:      set,
		panics:   set.NewCounter(metricPanics),
		refused:  set.NewCounter(metricRefused),
		timedOut: set.NewCounter(metricTimedOut),
		noTLS:    set.NewCounter(metricNoTLS),
	}
	bounds, stripes := durationBounds(), runtime.GOMAXPROCS(0)
	for r := range m.durations {
		for i := range m.durations[r] {
			m.durations[r][i] = expo.NewHistogram(bounds, stripes)
		}
	}
	for _, r := range reloads {
		set.NewGauge(metricReload+"{kind="+strconv.Quote(r.Kind)+"}", func() float64 {
			if r.InForce() {
				return 1
			}
			return 0
		})
	}
	set.NewGauge(metricOpen, func() float64 { return float64(conns.len()) })
	set.NewGauge(metricInFlight, func() float64 {
		var n float64
		conns.each(func(c *conn) {
			if p, _ := c.phase(); p == phaseHandling || p == phaseWriting {
				n++
			}
		})
		return n
	})
	return m
}

// observe counts one answer.
func (m *instruments) observe(connID uint64, r route, status int, took time.Duration) {
	i := 0
	for statuses[i] != status && statuses[i] != statusOther {
		i++
	}
	m.durations[r][i].Observe(connID, took)
}

// write writes what the handlers measured. Of routes and statuses that never met there is no sample, except for the one
// that everybody watches: a rate needs to see it at zero.
func (m *instruments) write(w io.Writer) {
	for r := range route(routeCount) {
		for i, h := range m.durations[r] {
			count := h.Count()
			if count == 0 && (r != routeIncrement || statuses[i] != fasthttp.StatusAccepted) {
				continue
			}
			labels := `route="` + r.String() + `",status="` + strconv.Itoa(statuses[i]) + `"`
			fmt.Fprintf(w, "%s{%s} %d\n", metricRequests, labels, count)
			h.Expose(w, metricDuration, labels)
		}
	}
}

// scrape answers GET /metrics: the node's, this server's and the process's.
func (s *Server) scrape(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	s.service.WriteMetrics(ctx)
	families().Write(ctx, s.metrics.set.WritePrometheus, s.metrics.write)
	expo.WriteProcess(ctx)
}
