package flush

import (
	"context"
	"database/sql"
	"errors"
)

// Adopt implements Store.
func (l *SQLite) Adopt(ctx context.Context, partitions []uint32) (a Adoption, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		if a.Ledger, err = readLedger(ctx, tx, partitions); err != nil {
			return err
		}
		a.Nodes, err = readNodes(ctx, tx)
		return err
	})
	return a, err
}

// Read implements Store.
func (l *SQLite) Read(ctx context.Context, keys []string, partitions []uint32, ids []IDRef) (s Snapshot, err error) {
	s.Values = make(map[string]int64, len(keys))
	err = l.read(ctx, func(tx *sql.Tx) error {
		if s.Ledger, err = readLedger(ctx, tx, partitions); err != nil {
			return err
		}
		find, err := tx.PrepareContext(ctx, "select value from counters where key = ?")
		if err != nil {
			return err
		}
		for _, key := range onlyText(keys) {
			var value int64
			err := find.QueryRowContext(ctx, key).Scan(&value)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			s.Values[key] = value
		}
		s.IDs, err = readIDs(ctx, tx, ids)
		return err
	})
	if err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

func readIDs(ctx context.Context, tx *sql.Tx, refs []IDRef) (map[IDRef]IDRow, error) {
	found := make(map[IDRef]IDRow)
	for _, ref := range refs {
		r := IDRow{Key: ref.Key, ID: ref.ID}
		var fingerprint int64
		row := tx.QueryRowContext(ctx, "select fingerprint, result from idempotency_keys where key = ? and id = ?",
			[]byte(ref.Key), []byte(ref.ID))
		err := row.Scan(&fingerprint, &r.Result)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.Fingerprint = uint64(fingerprint)
		found[ref] = r
	}
	return found, nil
}

func readLedger(ctx context.Context, tx *sql.Tx, partitions []uint32) (all []LedgerRow, err error) {
	for _, p := range partitions {
		rows, err := collect(ctx, tx, func(rows *sql.Rows, r *LedgerRow) error {
			r.Partition = p
			return rows.Scan(&r.Origin, &r.Number)
		}, "select origin, number from ledger where partition = ? order by origin", p)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// List implements Store.
func (l *SQLite) List(ctx context.Context, prefix, after string, limit int) (page []KeyValue, err error) {
	if err := checkText(prefix, after); err != nil || limit <= 0 {
		return nil, err
	}
	const open = "select key, value from counters where key >= ?1 and key > ?2"
	query, args := open+" order by key limit ?3", []any{prefix, after, limit}
	if past, ok := pastPrefix(prefix); ok {
		query, args = open+" and key < ?4 order by key limit ?3", append(args, past)
	}
	err = l.read(ctx, func(tx *sql.Tx) error {
		page, err = collect(ctx, tx, func(rows *sql.Rows, kv *KeyValue) error {
			return rows.Scan(&kv.Key, &kv.Value)
		}, query, args...)
		return err
	})
	return page, err
}
