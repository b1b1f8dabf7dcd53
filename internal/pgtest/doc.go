// Package pgtest runs a private, real Postgres for tests, and a proxy that breaks connections in chosen ways.
//
// It guarantees that the server is one that tests may kill: its data lives in a temporary folder, it listens on a free
// port of 127.0.0.1 only, it syncs its writes like a production server, and it dies with the test process. It needs
// Linux, and Postgres' programs in PATH or in Debian's folder; without them it fails, loudly. It must not know about
// Pinocchio.
package pgtest
