package flush

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
)

// rowsPerCheck is how many rows are written between two looks at the context.
const rowsPerCheck = 512

// Flush implements Store (R3, R5, R9): one transaction that holds the write lock from its beginning.
func (l *SQLite) Flush(ctx context.Context, r *Request) (res Result, err error) {
	sorted, err := r.arrange()
	if err != nil {
		return Result{}, err
	}
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		if res, err = checkFlush(ctx, tx, r); err != nil || res.Owners != nil || res.Ledger != nil {
			return false, err
		}
		if res.IDs, err = recordIDs(ctx, tx, sorted.ids, r.KeepIDs); err != nil || res.IDs != nil {
			return false, err
		}
		if err = moveLedger(ctx, tx, r); err != nil {
			return false, err
		}
		if res.Values, err = addDeltas(ctx, tx, &sorted); err != nil {
			return false, err
		}
		if err = quarantine(ctx, tx, r.Node, sorted.aside); err != nil {
			return false, err
		}
		if err = handOver(ctx, tx, r.Batches); err != nil {
			return false, err
		}
		res.Applied = true
		return !r.DryRun, nil
	})
	if err != nil {
		return Result{}, err
	}
	return res, nil
}

// checkFlush returns what does not match.
func checkFlush(ctx context.Context, tx *sql.Tx, r *Request) (res Result, err error) {
	owner, err := tx.PrepareContext(ctx, "select owner, epoch from partition_owner where partition = ?")
	if err != nil {
		return res, err
	}
	number, err := tx.PrepareContext(ctx, "select number from ledger where partition = ? and origin = ?")
	if err != nil {
		return res, err
	}
	for i := range r.Batches {
		b := &r.Batches[i]
		var stands uuid.NullUUID
		var epoch uint64
		err := owner.QueryRowContext(ctx, b.Partition).Scan(&stands, &epoch)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return res, err
		}
		if stands.UUID != r.Node || epoch != b.Epoch {
			res.Owners = append(res.Owners, Ownership{Partition: b.Partition, Owner: stands.UUID, Epoch: epoch})
		}
		for _, m := range b.Moves {
			miss := Mismatch{Partition: b.Partition, Origin: m.Origin}
			err := number.QueryRowContext(ctx, b.Partition, m.Origin.String()).Scan(&miss.Number)
			if errors.Is(err, sql.ErrNoRows) {
				miss.Refused, err = isRefused(ctx, tx, m.Origin)
			}
			if err != nil {
				return res, err
			}
			if miss.Refused || miss.Number != m.From {
				res.Ledger = append(res.Ledger, miss)
			}
		}
	}
	return res, nil
}

// isRefused reports whether the origin may not get ledger rows: it is closed or unknown.
func isRefused(ctx context.Context, tx *sql.Tx, origin uuid.UUID) (refused bool, err error) {
	const known = "select not exists (select 1 from nodes where id = ? and closed_at_us is null)"
	err = tx.QueryRowContext(ctx, known, origin.String()).Scan(&refused)
	return refused, err
}

// recordIDs inserts the records of idempotency keys, over those that have expired, and returns the ids that are taken:
// then the transaction must be rolled back.
func recordIDs(ctx context.Context, tx *sql.Tx, ids []IDRow, keep time.Duration) (taken []IDRef, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	record, err := tx.PrepareContext(ctx, `insert into idempotency_keys
			(key, id, fingerprint, result, created_at, expires_at_us) values (?1, ?2, ?3, ?4, ?5, ?6)
		on conflict do update set fingerprint = excluded.fingerprint, result = excluded.result,
			created_at = excluded.created_at, expires_at_us = excluded.expires_at_us
		where expires_at_us <= ?7`)
	if err != nil {
		return nil, err
	}
	created, now := nowText(), nowUS()
	for i := range ids {
		if i%rowsPerCheck == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r := &ids[i]
		// Not with ctx: see addDeltas.
		done, err := record.ExecContext(context.Background(), []byte(r.Key), []byte(r.ID), int64(r.Fingerprint), r.Result,
			created, now+microseconds(keep), now)
		if err != nil {
			return nil, err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			taken = append(taken, r.Ref())
		}
	}
	return taken, nil
}

func moveLedger(ctx context.Context, tx *sql.Tx, r *Request) error {
	move, err := tx.PrepareContext(ctx, `insert into ledger (partition, origin, number, sum_hi, sum_lo) values (?1, ?2, ?3, ?5, ?6)
		on conflict do update set number = excluded.number, sum_hi = sum_hi + ?5 + ((sum_lo + ?6) >> 32),
			sum_lo = (sum_lo + ?6) & 4294967295
		where number = ?4`)
	if err != nil {
		return err
	}
	for i := range r.Batches {
		for _, m := range r.Batches[i].Moves {
			hi, lo := halves(m.Sum)
			done, err := move.ExecContext(ctx, r.Batches[i].Partition, m.Origin.String(), m.To, m.From, hi, lo)
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			if err != nil {
				return err
			}
			if n != 1 { // cannot be after the check; R3 does not rest on that
				return errors.New("a ledger row changed inside a write transaction")
			}
		}
	}
	return nil
}

// addDeltas upserts in key order and returns the new values in the request's order.
func addDeltas(ctx context.Context, tx *sql.Tx, sorted *arranged) ([]KeyValue, error) {
	add, err := tx.PrepareContext(ctx, `insert into counters (key, value, inserted_at, updated_at) values (?1, ?2, ?3, ?3)
		on conflict do update set value = value + excluded.value, updated_at = excluded.updated_at
		returning value`)
	if err != nil {
		return nil, err
	}
	now := nowText()
	values := make([]int64, len(sorted.rows))
	for i, row := range sorted.rows {
		if i%rowsPerCheck == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// Not with ctx: the driver would start a goroutine to watch it, for each row.
		err := add.QueryRowContext(context.Background(), row.key, row.delta, now).Scan(&values[i])
		if errors.Is(err, sql.ErrNoRows) { // a trigger's RAISE(IGNORE): the delta would be lost
			return nil, &DataError{Code: "27000", Err: errors.New("a trigger on the counters table dropped the row")}
		}
		if err != nil {
			return nil, err
		}
	}
	return sorted.values(values), nil
}

func quarantine(ctx context.Context, tx *sql.Tx, node uuid.UUID, aside []setAside) error {
	for _, s := range aside {
		text, raw := printable(s.key)
		reason, _ := printable(s.reason)
		_, err := tx.ExecContext(ctx, `insert into quarantine (key, raw_key, delta, partition, node, reason, at)
			values (?, ?, ?, ?, ?, ?, ?)`, text, raw, s.delta, s.partition, node.String(), reason, nowText())
		if err != nil {
			return err
		}
	}
	return nil
}

func handOver(ctx context.Context, tx *sql.Tx, batches []Batch) error {
	for i := range batches {
		b := &batches[i]
		if b.NewOwner == uuid.Nil {
			continue
		}
		const give = "update partition_owner set owner = ?, epoch = epoch + 1 where partition = ?"
		if _, err := tx.ExecContext(ctx, give, b.NewOwner.String(), b.Partition); err != nil {
			return err
		}
	}
	return nil
}
