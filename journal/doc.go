// Package journal is the log on disk of an origin's operations: what durability `disk` means by evidence (R7).
//
// Each process lifetime of a node has a folder of its own, named by its origin. Append encodes numbered operations into
// memory, Sync makes everything appended durable in one go, Trim deletes what the store has. After a restart Recover reads
// the folders of earlier origins, so that their operations can be sent again under their old numbers until the store has
// them; the number makes a repeat harmless (R2), so the log may always hold more than was answered and never less.
//
//	<dir>/
//	  0198c7d2-…-9a41/            one folder per origin
//	    lock                      held with flock by the process that writes or replays the log
//	    0000000007.log            segments, numbered without gaps; older ones were trimmed
//	    0000000008.log            the last one is written to, and is the only one that may have a torn tail
//
// # Format
//
// Integers of fixed width are big endian; the rest are varints as in encoding/binary, deltas zigzag. A segment is a
// header and records without space between:
//
//	header   8 magic "pinojrnl" | 4 format | 8 cluster | 16 origin | 8 segment | 8 end of the segment before
//	         8 created, unix ms | 8 random | 4 CRC-32C of these
//	record   4 mark | 4 length of type and payload | 4 CRC-32C of the rest | 1 type | payload
//	payload  (type 1)  8 written, unix ms | batches
//	batch    partition | first number | count | operations; count 0: the store has everything before that number
//	op       1 flags | delta | length, key | length, idempotency key
//
// The mark is the checksum of the segment's header, random bytes included, and the checksum of a record starts from the
// record's offset: a stale block of another file, or of another place in this one, does not pass. Since a client cannot know
// the mark, no key can be made to look like a record.
//
// # Torn or damaged?
//
// A record is at most MaxRecordBytes, and is written only when the one before it is durable, even where one Sync needs
// several. So whatever a crash interrupts leaves at most one incomplete record, in the last segment, with nothing valid
// behind it: that is a torn tail. It was never acknowledged, and Recover cuts it off and says so. Everything else that does
// not check is damage: Recover refuses, names file and offset, and changes nothing. One thing is out of reach of any
// log of this kind: damage within the very last record looks like a torn tail.
//
// # Guarantees
//
//   - What Sync answered nil for, Recover returns until Trim was told that the store has it, whatever single point the
//     process or the host stopped at. It is assumed that the disk keeps what it confirmed, and that a sector which was being
//     written when the power went holds either its old or its new content, as databases with a log assume.
//   - A failed write or fsync fails the log for ever. After a failed fsync the kernel may have dropped the pages and call the
//     next fsync a success (PostgreSQL learned it in 2018), so it is never repeated: the process answers no more `disk`.
//   - Streams come back with numbers without gaps, one content per number (R1), or not at all.
//   - Memory while recovering: the operations themselves (48 bytes each, their strings, and slack while a slice grows) and one
//     record. A mangled length allocates nothing.
//
// # What it must not know
//
// Partitions are numbers, flags and keys are bytes: it imports no other package of the module, and knows nothing of owners,
// epochs, the store or HTTP. Whether the ledger has moved past a recovered stream, or begins before it, is for the caller to check.
package journal
