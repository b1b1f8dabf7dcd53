package strategy

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Naive reads, adds in the program, and writes, in one transaction of read committed. The read takes the row's lock (for
// update), so that nobody writes between read and write: without it concurrent increments are lost. A row that is not there
// yet cannot be locked: of several that insert it one wins, and the others' unique violation makes them begin again.
type Naive struct{ table *Table }

// NewNaive returns the strategy on the table.
func NewNaive(t *Table) *Naive { return &Naive{t} }

// Name is part of Strategy.
func (*Naive) Name() string { return "naive" }

// Increment is part of Strategy.
func (s *Naive) Increment(ctx context.Context, key string, delta int64) error {
	return s.table.untilUnique(ctx, func(tx pgx.Tx) error {
		var value int64
		err := tx.QueryRow(ctx, "select value from strategy_counters where key = $1 for update", key).Scan(&value)
		if errors.Is(err, pgx.ErrNoRows) {
			_, err = tx.Exec(ctx, "insert into strategy_counters (key, value) values ($1, $2)", key, delta)
			return err
		}
		if err != nil {
			return err
		}
		sum, ok := add(value, delta)
		if !ok {
			return ErrOutOfRange
		}
		_, err = tx.Exec(ctx, "update strategy_counters set value = $2 where key = $1", key, sum)
		return err
	})
}

// Flush is part of Strategy: there is nothing to do.
func (*Naive) Flush(context.Context) error { return nil }

// Close is part of Strategy: there is nothing to do.
func (*Naive) Close(context.Context) error { return nil }

// DeleteReturning deletes the row, taking its value, and inserts it again with the sum, in one transaction of read committed.
// The delete waits for another one's transaction, but does not see the row that this one inserted: the insert then meets it,
// and the unique violation makes it begin again. No increment is lost, but of n that meet on a key n-1 run in vain.
type DeleteReturning struct{ table *Table }

// NewDeleteReturning returns the strategy on the table.
func NewDeleteReturning(t *Table) *DeleteReturning { return &DeleteReturning{t} }

// Name is part of Strategy.
func (*DeleteReturning) Name() string { return "delete-returning" }

// Increment is part of Strategy.
func (s *DeleteReturning) Increment(ctx context.Context, key string, delta int64) error {
	return s.table.untilUnique(ctx, func(tx pgx.Tx) error {
		var value int64
		err := tx.QueryRow(ctx, "delete from strategy_counters where key = $1 returning value", key).Scan(&value)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		sum, ok := add(value, delta)
		if !ok {
			return ErrOutOfRange
		}
		_, err = tx.Exec(ctx, "insert into strategy_counters (key, value) values ($1, $2)", key, sum)
		return err
	})
}

// Flush is part of Strategy: there is nothing to do.
func (*DeleteReturning) Flush(context.Context) error { return nil }

// Close is part of Strategy: there is nothing to do.
func (*DeleteReturning) Close(context.Context) error { return nil }

// Upsert adds in one statement: the database locks the row, and reads it after the lock.
type Upsert struct{ table *Table }

// NewUpsert returns the strategy on the table.
func NewUpsert(t *Table) *Upsert { return &Upsert{t} }

// Name is part of Strategy.
func (*Upsert) Name() string { return "upsert" }

// Increment is part of Strategy.
func (s *Upsert) Increment(ctx context.Context, key string, delta int64) error {
	_, err := s.table.pool.Exec(ctx, `insert into strategy_counters as c (key, value) values ($1, $2)
		on conflict (key) do update set value = c.value + excluded.value`, key, delta)
	return inRange(err)
}

// Flush is part of Strategy: there is nothing to do.
func (*Upsert) Flush(context.Context) error { return nil }

// Close is part of Strategy: there is nothing to do.
func (*Upsert) Close(context.Context) error { return nil }

// untilUnique runs f in a transaction, again while another one inserted the same key first. It ends: each of these
// violations stands for an insert that did commit. A violation is the server's answer, so nothing of it was committed.
func (t *Table) untilUnique(ctx context.Context, f func(pgx.Tx) error) error {
	for {
		err := pgx.BeginTxFunc(ctx, t.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, f)
		if !has(err, uniqueViolation) {
			return err
		}
	}
}

// add says whether the sum is in range.
func add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}
