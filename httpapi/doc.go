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
// openapi.yaml, served at /openapi.yaml, describes every route and status; a test compares the two, both ways.
//
// It knows a node only as a Service. It must not know about the ring, the store, or other nodes.
//
// # Choices
//
// Where the prototype's contract leaves room, this is what holds, and the contract test pins it:
//
//   - A body is judged by its bytes, not by its Content-Type: curl -d announces a form whatever it sends. A form is
//     a 400 that asks for JSON, a compressed body a 415.
//   - An empty body, and JSON that is no object, is a body without fields: 422 with both fields blank, as the prototype
//     says, and a detail that shows what to send.
//   - Names other than "key" and "value" are ignored, but for "min", "max" and "overflow": a 422, since to ignore a bound
//     would count beyond it. A name that stands twice in an object, at any depth, is a 400.
//   - In a path, all that follows /increment/ or /counters/ is the key, slashes and dots included, percent-encoded or not.
//     Nothing is normalised; a bare # and a broken escape are a 400. Queries are ignored.
//   - A key that is too long, holds NUL or is no UTF-8 "is invalid", in a body and in a path alike.
//   - A value in a string is written as JSON would write the number: no plus, no leading zero, no blank around it.
//   - Durability and Prefer ignore case. An unknown durability is a 400, as is one that the node does not offer.
//   - Many increments in one request are a JSON array or one object a line, told apart by their first byte. Each is answered
//     with a status of its own inside a 200, as 207 does elsewhere; only a body that cannot be read is refused as a whole, and
//     then nothing was counted. Of lines, a bad one is its own item's error.
//   - Credentials are checked before the method and the body, the rate limit before the body; of a batch, its items must be read to be
//     counted. An item whose key the credential is not for is a 403 of its own.
//   - Idempotency-Key is a quoted string, as the IETF draft has it, or the same without quotes. Two lines of it are a 400.
package httpapi
