// Package client counts with a Pinocchio cluster from a Go program.
//
// A Client knows several nodes and goes on to the next one when a node cannot be reached or refuses for the moment. It
// repeats a request only where a repeat cannot count twice:
//
//   - Reads are always repeated.
//   - An increment that was surely not counted is repeated: no connection was had, or a node's answer was 503 or 429, whose
//     Retry-After is honoured.
//   - An increment whose outcome is unknown (a connection that broke, an attempt that timed out, a 500, a 504, a 503 that a
//     proxy made up) is repeated only when it has an idempotency key: Idempotent gives it one.
//
// When an attempt may have counted and no repeat was accepted, the error is ErrUnknownOutcome, whatever the last attempt met.
// Any other error but an *Error of status 504 means that nothing was counted.
//
// A Writer collects increments and sends them in batches. The package needs nothing but net/http and none of the server's
// packages.
package client
