// Package counter is the protocol core of Pinocchio: what an origin holds, what an owner applies, and what may be
// flushed, for one partition at a time.
//
// An operation is made itself by its number: (origin, partition, number). The origin's side of a Partition is its
// outbox: operations that the store does not have yet, numbered without gaps (R1). The owner's side, present only
// while this node owns the partition, is one high-water mark for each origin (R2) and the cells that the applied
// operations add up in. Freeze turns what is applied into a batch that moves ledger rows together with exactly their deltas
// (R3, R4); the outcome of that batch moves the marks.
//
// The package does no I/O, starts no goroutine and reads no clock, so that a test can step it: the simulation drives
// thousands of seeded histories of lost, late and repeated messages, crashes and moves through the very code that runs in
// production. It knows nothing of HTTP, SQL, gossip or leases; whoever calls it holds the lock that guards the partition.
//
// A partition's life at one node:
//
//	           Acquire                    Release                 Done(handed over)
//	Following ────────► Owning ─────────────────────► Releasing ───────────────────► Following
//	    ▲                 │                               │
//	    └─────────────────┴───────────── Drop ────────────┘  (lost it: a later epoch exists)
//
// In Following and Releasing, operations accepted here wait in the outbox for the owner; in Owning they are applied at once.
package counter
