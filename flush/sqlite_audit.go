package flush

import (
	"context"
	"database/sql"
	"math/big"
	"time"

	"github.com/google/uuid"
)

// A wide sum is hi * 2^32 + lo in two columns: see migrations/sqlite/0002_keys_and_sums.sql.
const (
	loBits = 32
	loMask = 1<<loBits - 1
)

// halves splits a number into its columns.
func halves(n int64) (hi, lo int64) { return n >> loBits, n & loMask }

// wide joins the columns; lo may have grown beyond its range.
func wide(hi, lo int64) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(hi), loBits)
	return n.Add(n, big.NewInt(lo))
}

// Audit implements Store.
func (l *SQLite) Audit(ctx context.Context) (a AuditReport, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		for _, sum := range []struct {
			into  **big.Int
			query string
		}{
			{&a.Base, "select base_hi, base_lo from cluster_meta"},
			{&a.Retired, "select retired_hi, retired_lo from cluster_meta"},
			{&a.Counters, "select coalesce(sum(value >> 32), 0), coalesce(sum(value & 4294967295), 0) from counters"},
			{&a.Quarantine, "select coalesce(sum(delta >> 32), 0), coalesce(sum(delta & 4294967295), 0) from quarantine"},
		} {
			var hi, lo int64
			if err := tx.QueryRowContext(ctx, sum.query).Scan(&hi, &lo); err != nil {
				return err
			}
			*sum.into = wide(hi, lo)
		}
		a.Origins, err = readOrigins(ctx, tx)
		return err
	})
	if err != nil {
		return AuditReport{}, err
	}
	return a, nil
}

func readOrigins(ctx context.Context, tx *sql.Tx) ([]OriginSum, error) {
	now := nowUS()
	all, err := collect(ctx, tx, func(rows *sql.Rows, o *OriginSum) error {
		var name sql.NullString
		var until sql.NullInt64
		var hi, lo, numbersHi, numbersLo int64
		err := rows.Scan(&o.Origin, &name, &o.Closed, &until, &numbersHi, &numbersLo, &hi, &lo)
		o.Name, o.Operations, o.Sum = name.String, wide(numbersHi, numbersLo).Uint64(), wide(hi, lo)
		if until.Valid {
			o.LeaseLeft = time.Duration(until.Int64-now) * time.Microsecond
		}
		return err
	}, `select l.origin, n.name, n.id is null or n.closed_at_us is not null, n.lease_until_us,
			sum(l.number >> 32), sum(l.number & 4294967295), sum(l.sum_hi), sum(l.sum_lo)
		from ledger l left join nodes n on n.id = l.origin
		group by l.origin`)
	sortOrigins(all)
	return all, err
}

// ClusterID implements Store.
func (l *SQLite) ClusterID() uuid.UUID { return l.clusterID }
