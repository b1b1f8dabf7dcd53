// Package httpapi is the public HTTP API of one node: routes, bodies, statuses, limits and the metrics of all that.
//
// It guarantees that a request is executed at most once and is answered when it was executed, also while the server
// drains; that nothing a client sends can stop the node (limits on everything, a panic becomes a 500); that every error
// body has the shape {"errors":{field:[text]}}; and that a plain increment allocates nothing in here.
//
// A Server is made by New, which starts nothing, and serves any number of listeners with Serve. It stops in two
// stages, so that clients of a rolling restart notice nothing: Drain tells the readiness probe and each client to
// go elsewhere while everything is still served, Shutdown closes what is left.
//
// It knows a node only as a Service. It must not know about the ring, the store, or other nodes.
package httpapi
