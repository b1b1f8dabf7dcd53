// Package strategy holds four ways of adding to counters in Postgres, side by side on a table of their own, so that
// "pinocchio bench strategies" can measure what each costs.
//
//   - Naive reads the value, locking its row, and writes the sum, in a transaction.
//   - DeleteReturning takes the row away and inserts it again with the sum, in a transaction.
//   - Upsert adds in one statement.
//   - Buffered adds in memory and sends the sums in one statement per interval, which is the idea of this service
//     reduced to one process: no network, no ownership, no durability before the flush.
//
// All four are exact under concurrency; each type's comment says by what. They use the tables strategy_counters and
// strategy_writers, which no node reads or writes, and which Open empties: one process at a time, by an advisory lock.
package strategy
