// Package certs reads certificates for TLS from files, and again when the files change.
//
// A Source is a certificate with its key. Its configurations for TLS ask it at every handshake, so that new connections get a new
// certificate while old ones go on. Files that do not load, or do not fit together, are an error at the start; later they are
// logged, and the pair that works stays.
//
// A Mutual is a Source for both directions between nodes: each side shows a certificate that the same authority signed, and that is valid
// for the same DNS name, whatever the host's address. Any other certificate of that authority is refused, unless it has that name.
package certs
