// Package access decides who a request is from and what it may do: bearer tokens (RFC 6750) that stand hashed in a file, and
// JSON Web Tokens (RFC 7519) that an identity provider signs.
//
// It guarantees that a credential is accepted only while its file, its key and its expiry say so; that a file or key set which is
// changed is in force within seconds, and one that cannot be read changes nothing; that no lookup takes a time that
// tells something of a secret; and that no error and no log line holds a credential or a part of one.
//
// A nil *Guard is one that is off, a nil *Grant one that may do everything: whoever has none pays one comparison.
//
// It must not know about routes: what a route needs is said by who calls it.
package access
