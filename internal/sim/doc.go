// Package sim plays seeded histories of a small cluster through the protocol core, and checks after every event that
// nothing it promises was broken.
//
// A history has processes (each a simNode that drives counter.Partition the way package node does), a modelled store, a
// modelled network and clients. Each host has a modelled disk (journal/disktest), on which the real log is written: with a crash,
// writes are torn and the page cache may be lost; a past process's log is resent by the next one. Messages are lost, late, repeated; processes crash, pause and leave; partitions move;
// commits land after their connection died. Everything follows from one seed: there is one goroutine, one generator of
// random numbers and a virtual clock, so a failing seed replays exactly.
//
// The checks do not look into the core. An auditor keeps its own books of every increment, from what goes in and comes out
// (Add, sections, answers, batches, tickets, totals), and compares (rules as numbered in docs/INVARIANTS.md):
//
//	R1  the content of (origin, partition, number) when it first leaves its origin, and ever after
//	R2  an owner's mark of each stream against the sections that it was given
//	R3  every applied batch: its deltas against the operations that its ledger moves stand for
//	R4  every counter in the store against the operations up to the ledger
//	R5  every applied batch: sent by the store's owner at the store's epoch
//	R6  every outbox: it ends where the store begins; every log: it gives back what it confirmed; and at the end, what a
//	    log or a second process held is in the store
//	R7  every ticket: its evidence existed when it was done
//	R8  every total under a valid lease: exact, and containing whatever was answered before it
//	R9  every operation with an idempotency key: counted once, its row stored with it, each repeat answered like the first
//	R12 when the faults have ended: nothing pending, and memory, store and clients agree; what is missing was
//	    held by crashed processes alone
//
// What each history may do is drawn from its seed too: a history with every fault at once seldom gets anywhere.
package sim
