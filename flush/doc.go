// Package flush keeps counters in a database: the store and the flusher that moves deltas into it.
//
// It guarantees that a flush is one statement: the deltas of a partition and the ledger rows that prove them move
// together or not at all (R3), and only for the partition's owner at its epoch (R5). A flush whose outcome is
// unknown is safe to send again, unchanged: the ledger says whether it had been applied.
//
// There are two stores under one conformance suite: Postgres, the real one, and SQLite, the embedded default for
// a single host. This package is the only importer of pgx and of SQLite. It must not know about HTTP, gossip, the
// ring, or how operations reach their owner.
package flush
