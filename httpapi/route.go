package httpapi

import "bytes"

// route is one of the API's paths. It is also the label of its metrics, so it never holds what a client sent.
type route uint8

// Routes.
const (
	routeUnread    route = iota // the request could not be read
	routeUnknown                // there is no such path
	routeIncrement              // POST: count
	routeMany                   // POST: count many
	routeShort                  // POST: count, by the short name
	routeTotal                  // GET: a total
	routeCounter                // GET: a total beside what the store has; PUT, DELETE: set it
	routeList                   // GET: a page of persisted counters
	routeCluster                // GET: the cluster as this node sees it
	routeAudit                  // GET: what this process has counted
	routeHealth                 // GET: the process lives
	routeReady                  // GET: send traffic here
	routeMetrics                // GET: for Prometheus
	routePage                   // GET: the live page
	routeSpec                   // GET: this API in the OpenAPI form
	routeCount     = iota
)

// String returns the path of r, as it stands in metrics and in log lines.
func (r route) String() string {
	return [routeCount]string{
		routeUnread:    "unread",
		routeUnknown:   "unknown",
		routeIncrement: "/api/v1/increment",
		routeMany:      "/api/v1/increments",
		routeShort:     "/increment",
		routeTotal:     "/api/v1/increment/{key}",
		routeCounter:   "/api/v1/counters/{key}",
		routeList:      "/api/v1/counters",
		routeCluster:   "/api/v1/cluster",
		routeAudit:     "/api/v1/audit",
		routeHealth:    "/healthz",
		routeReady:     "/readyz",
		routeMetrics:   "/metrics",
		routePage:      "/dashboard",
		routeSpec:      "/openapi.yaml",
	}[r]
}

// allow returns the methods of r as the Allow header has them.
func (r route) allow() string {
	if r == routeIncrement || r == routeMany || r == routeShort {
		return "POST"
	}
	if r == routeCounter {
		return "GET, HEAD, PUT, DELETE"
	}
	return "GET, HEAD"
}

// match finds the route of a raw path and what follows it: the key, still percent-encoded. A slash in that rest belongs
// to the key, encoded or not, and so do dots: nothing is normalised.
func match(path []byte) (r route, key []byte) {
	const base = "/api/v1/"
	if len(path) < len(base) || string(path[:len(base)]) != base {
		switch string(path) {
		case "/increment", "/increment/":
			return routeShort, nil
		case "/healthz":
			return routeHealth, nil
		case "/readyz":
			return routeReady, nil
		case "/metrics":
			return routeMetrics, nil
		case "/openapi.yaml":
			return routeSpec, nil
		}
		if string(path) == "/dashboard" || bytes.HasPrefix(path, []byte("/dashboard/")) {
			return routePage, nil
		}
		return routeUnknown, nil
	}
	path = path[len(base):]
	name, slash := path, false
	if i := bytes.IndexByte(path, '/'); i >= 0 {
		name, key, slash = path[:i], path[i+1:], true
	}
	switch string(name) {
	case "increment":
		if slash {
			return routeTotal, key
		}
		return routeIncrement, nil
	case "increments":
		if !slash {
			return routeMany, nil
		}
	case "counters":
		if slash {
			return routeCounter, key
		}
		return routeList, nil
	case "cluster":
		if !slash {
			return routeCluster, nil
		}
	case "audit":
		if !slash {
			return routeAudit, nil
		}
	}
	return routeUnknown, nil
}

// pathOf returns the raw path of a request target: what stands before the query, without scheme and host. fasthttp's own
// path is of no use here: it decodes %2F and resolves dots and double slashes, which all may be bytes of a key.
func pathOf(target []byte) []byte {
	if len(target) > 0 && target[0] != '/' { // "http://host/path", as a proxy is asked
		_, rest, ok := bytes.Cut(target, []byte("://"))
		slash := bytes.IndexByte(rest, '/')
		if !ok || slash < 0 {
			return nil
		}
		target = rest[slash:]
	}
	if query := bytes.IndexByte(target, '?'); query >= 0 {
		target = target[:query]
	}
	return target
}
