// Package seal signs the messages between two processes that share a secret, and refuses those that were seen before.
//
// A sealed question carries, in one header, the process that it is for, a number, and an HMAC-SHA256 over both, the path and
// the body. Its answer carries an HMAC over the question's, the status and the answer's body. So a stranger who
// records messages, and changes, repeats or redirects them, achieves nothing:
//
//   - changed: the MAC is wrong;
//   - sent to another process, or to the same one after its restart: the question is for another process (ids are never reused);
//   - sent again to the same process: its Window has the number already;
//   - an answer made up, changed, or taken from another question: it belongs to no question that is open.
//
// It does not hide what is said: that is what TLS is for. The package knows nothing of nodes, HTTP or what the messages mean.
package seal
