// Package wire is the binary form of what nodes say to each other. It is pure: bytes in, values out. Decoded keys alias the
// input. Every length is checked against what is left, so that a mangled message is an error and never a panic or a large
// allocation.
//
// All integers are unsigned varints (LEB128, as in encoding/binary), deltas and totals zigzag varints. A batch is
//
//	version, cluster (8 bytes), sender (16 bytes), origin (16 bytes): the sender, or a past process whose log it resends
//	count, then routes:   partition, epoch, owner (16 bytes), flags
//	count, then progress: partition, persisted
//	count, then sections: partition, epoch, first, answered, count, then operations: flags, delta, length, key, [length, id]
//
// and its answer
//
//	version, count, then answers: partition, code, flags, epoch, applied, persisted, [owner], count, then results
//
// in which a result is its number less the one before, its code, and with a total the total. Copies of operations for a
// second holder are
//
//	version, cluster (8 bytes), sender (16 bytes), count, then: partition, persisted, first, count, then operations
//
// and their answer: version, count, then the highest number held of each. A command is
//
//	version, cluster (8 bytes), sender (16 bytes), flags, durability, value, min, max, milliseconds, length, key, length, id
//
// and its answer: version, outcome, the total before, the delta.
package wire
