// Package ring says which partition a key belongs to and which member should own each partition.
//
// A Table is a pure, immutable function of the member names and the Settings: nodes that agree on both have equal
// tables, byte for byte, and Table.Version proves it (R11). Placement is consistent hashing with bounded loads, so
// that a change of one member moves little more than that member's share, and no member gets much more than its own.
//
// A table only says who should own a partition. Who does own it stands in the store, so two nodes with different
// views lose time, never counts. The package does no I/O, starts no goroutine and reads no clock; it is the only one
// that imports the consistent-hashing library, and it must not know how members are found.
package ring
