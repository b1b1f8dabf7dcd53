// Package bench is a load generator for a counter service over HTTP/1.1. It answers two questions about a run: how
// fast was it, and was every increment that was answered counted exactly once.
//
// # The load
//
// A worker is one connection. In a closed loop it writes Options.Pipeline requests, reads their responses, and
// starts again. In an open loop (Options.Rate) each request has an intended start that does not wait for earlier
// answers, and its latency counts from there, so that a stall of the server shows in the percentiles instead of
// slowing the generator down.
//
// With Options.Batch a request is many increments (POST /api/v1/increments). What follows is then about each of them, by the
// answer to its item, or to the whole request when that was refused; Options.Requests, Options.Rate, latencies and what is sent again
// are about requests.
//
// # What an answer means
//
//   - 2xx: counted. With the header "Counted: later" it will be counted once, and is reported as later as well.
//   - 503: refused, not counted. Other 3xx and 4xx: rejected, not counted.
//   - 504 and other 5xx, and a connection that broke after the request was written: unknown. It counts or it does not.
//   - Behind a response with "Connection: close" the server processes nothing on that connection (RFC 9112 section
//     9.6), so requests behind it are sent again elsewhere. They are not failures. Neither is a connection that could
//     not be made, nor a request of which the kernel did not take the last byte: nothing can have been executed.
//
// Refused, rejected and unknown are the failed requests. A worker keeps to its home target while that answers GET
// /readyz with a status below 500, moves between two requests when it does not, and returns when it does again. So
// a rolling restart of a server that drains correctly shows not one failed request.
//
// # Verification
//
// Each key's total is read before the run, and after it through every target, until it lies in the interval that the
// answers allow: [answered, answered + unknown], exact where nothing is unknown. Options.Store adds the table behind
// the service to what must agree.
//
// # Limits
//
// The hot path renders requests from templates and reads responses with a parser of its own, which knows what a
// counter service sends and refuses the rest: a status line, headers of which it looks at Content-Length, Connection,
// Counted and Transfer-Encoding, and a body of known length. It speaks HTTP/1.1, also over TLS, and no HTTP/2. A histogram of about
// 200 KiB stands behind each connection.
//
// The package must not know about the store's drivers, nor about anything inside a node: it sees what a client sees.
package bench
