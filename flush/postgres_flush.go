package flush

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	flushSQL = "select * from pinocchio_flush_v2($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)"
	drySQL   = "select * from pinocchio_flush_dry_v2($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)"
)

// Flush implements Store: one call of one function (R3, R5, R9), see migrations/postgres/0006_flush.sql.
func (p *Postgres) Flush(ctx context.Context, r *Request) (Result, error) {
	sorted, err := r.arrange()
	if err != nil {
		return Result{}, err
	}
	sql, args := flushSQL, flushArguments(r, &sorted)
	if r.DryRun {
		sql = drySQL
	}
	var answer flushRow
	err = with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, sql, args...).Scan(answer.columns()...)
	})
	if err != nil {
		return Result{}, err
	}
	return answer.result(&sorted)
}

// flushArguments lays the request out as the function's parallel arrays.
func flushArguments(r *Request, sorted *arranged) []any {
	n := len(r.Batches)
	partitions, epochs, heirs := make([]int32, n), make([]int64, n), make([]pgtype.UUID, n)
	movePartitions, origins := []int32{}, []pgtype.UUID{}
	from, to, sums := []int64{}, []int64{}, []int64{}
	for i := range r.Batches {
		b := &r.Batches[i]
		partitions[i], epochs[i], heirs[i] = int32(b.Partition), int64(b.Epoch), toUUID(b.NewOwner)
		for _, m := range b.Moves {
			movePartitions = append(movePartitions, int32(b.Partition))
			origins = append(origins, pgtype.UUID{Bytes: m.Origin, Valid: true})
			from, to, sums = append(from, int64(m.From)), append(to, int64(m.To)), append(sums, m.Sum)
		}
	}
	keys, deltas := make([]string, len(sorted.rows)), make([]int64, len(sorted.rows))
	for i, row := range sorted.rows {
		keys[i], deltas[i] = row.key, row.delta
	}
	m := len(sorted.aside)
	asideKeys, asideRaw, asideDeltas := make([]string, m), make([][]byte, m), make([]int64, m)
	asidePartitions, reasons := make([]int32, m), make([]string, m)
	for i, s := range sorted.aside {
		asideKeys[i], asideRaw[i] = printable(s.key)
		asideDeltas[i], asidePartitions[i] = s.delta, int32(s.partition)
		reasons[i], _ = printable(s.reason)
	}
	ids := idArguments(sorted.ids)
	return []any{
		toUUID(r.Node), partitions, epochs, heirs, movePartitions, origins, from, to, sums,
		ids.keys, ids.ids, ids.fingerprints, ids.results, microseconds(r.KeepIDs),
		keys, deltas, asideKeys, asideRaw, asideDeltas, asidePartitions, reasons,
	}
}

// idColumns are parallel arrays with one element for each record of an idempotency key.
type idColumns struct {
	keys, ids             [][]byte
	fingerprints, results []int64
}

func idArguments(rows []IDRow) idColumns {
	n := len(rows)
	c := idColumns{make([][]byte, n), make([][]byte, n), make([]int64, n), make([]int64, n)}
	for i := range rows {
		r := &rows[i]
		c.keys[i], c.ids[i] = []byte(r.Key), []byte(r.ID)
		c.fingerprints[i], c.results[i] = int64(r.Fingerprint), r.Result
	}
	return c
}

// flushRow receives the function's answer.
type flushRow struct {
	applied    bool
	values     []int64
	owners     ownerColumns
	partitions []int32
	origins    []pgtype.UUID
	numbers    []int64
	refused    []bool
	taken      idColumns
}

func (f *flushRow) columns() []any {
	out := append([]any{&f.applied, &f.values}, f.owners.columns()...)
	return append(out, &f.partitions, &f.origins, &f.numbers, &f.refused, &f.taken.keys, &f.taken.ids)
}

func (f *flushRow) result(sorted *arranged) (Result, error) {
	if f.applied {
		if len(f.values) != len(sorted.rows) {
			return Result{}, fmt.Errorf("the store answered %d values for %d keys", len(f.values), len(sorted.rows))
		}
		return Result{Applied: true, Values: sorted.values(f.values)}, nil
	}
	res := Result{Owners: f.owners.ownerships(), Ledger: make([]Mismatch, len(f.partitions))}
	for i := range res.Ledger {
		res.Ledger[i] = Mismatch{
			Partition: uint32(f.partitions[i]), Origin: f.origins[i].Bytes,
			Number: uint64(f.numbers[i]), Refused: f.refused[i],
		}
	}
	for i, key := range f.taken.keys {
		res.IDs = append(res.IDs, IDRef{string(key), string(f.taken.ids[i])})
	}
	return res, nil
}
