// Package dashboard is the live page of a cluster, served by every node at /dashboard.
//
// The page is plain HTML, CSS and JavaScript modules from files of this package: nothing is built and nothing is loaded from
// elsewhere, which its Content-Security-Policy enforces. It gets one event a second over a stream of server-sent events;
// the first one holds the last 15 minutes. While nobody watches, nothing is asked of any node.
//
// It guarantees bounds: so many streams, so many events waiting for a slow reader, who is dropped beyond that, and so many
// points of each node. It knows a node only as a Service, and nothing of the API's routes but those that the page calls.
package dashboard
