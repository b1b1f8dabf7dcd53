package flush

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// ledgerColumns receives parallel arrays with one element for each ledger row.
type ledgerColumns struct {
	partitions []int32
	origins    []pgtype.UUID
	numbers    []int64
}

func (l *ledgerColumns) columns() []any { return []any{&l.partitions, &l.origins, &l.numbers} }

func (l *ledgerColumns) rows() []LedgerRow {
	out := make([]LedgerRow, len(l.partitions))
	for i := range out {
		out[i] = LedgerRow{Partition: uint32(l.partitions[i]), Origin: l.origins[i].Bytes, Number: uint64(l.numbers[i])}
	}
	return out
}

// Adopt implements Store.
func (p *Postgres) Adopt(ctx context.Context, partitions []uint32) (Adoption, error) {
	const sql = `select l.*, v.ids, v.names, v.http_addrs, v.peer_addrs, v.gossip_addrs, v.leases_left_us, v.drainings
		from (select array_agg(partition), array_agg(origin), array_agg(number)
		      from (select partition, origin, number from ledger where partition = any ($1::integer[])
		            order by partition, origin) sorted) l,
		     pinocchio_view_v1() v`
	var ledger ledgerColumns
	var nodes nodeColumns
	err := with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, sql, signed(partitions)).Scan(append(ledger.columns(), nodes.columns()...)...)
	})
	return Adoption{Ledger: ledger.rows(), Nodes: nodes.states()}, err
}

// Read implements Store.
func (p *Postgres) Read(ctx context.Context, keys []string, partitions []uint32, ids []IDRef) (Snapshot, error) {
	const plain = `select c.*, l.*
		from (select array_agg(key), array_agg(value) from counters where key = any ($1::text[])) c,
		     (select array_agg(partition), array_agg(origin), array_agg(number)
		      from ledger where partition = any ($2::integer[])) l`
	const withIDs = "select s.*, i.* from (" + plain + `) s (keys, key_values, partitions, origins, numbers),
		     (select array_agg(i.key), array_agg(i.id), array_agg(i.fingerprint), array_agg(i.result)
		      from unnest($3::bytea[], $4::bytea[]) as w (key, id)
		      join idempotency_keys i on i.key = w.key and i.id = w.id) i`
	var found []string
	var values []int64
	var ledger ledgerColumns
	var records idColumns
	into := append([]any{&found, &values}, ledger.columns()...)
	sql, args := plain, []any{onlyText(keys), signed(partitions)}
	if len(ids) > 0 {
		idKeys, idNames := refArguments(ids)
		sql, args = withIDs, append(args, idKeys, idNames)
		into = append(into, &records.keys, &records.ids, &records.fingerprints, &records.results)
	}
	err := with(ctx, p.pool, func(c *pgx.Conn) error { return c.QueryRow(ctx, sql, args...).Scan(into...) })
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Values: make(map[string]int64, len(found)), Ledger: ledger.rows(), IDs: records.rows()}
	for i, key := range found {
		s.Values[key] = values[i]
	}
	return s, nil
}

func refArguments(refs []IDRef) (keys, ids [][]byte) {
	keys, ids = make([][]byte, len(refs)), make([][]byte, len(refs))
	for i, r := range refs {
		keys[i], ids[i] = []byte(r.Key), []byte(r.ID)
	}
	return keys, ids
}

func (c *idColumns) rows() map[IDRef]IDRow {
	out := make(map[IDRef]IDRow, len(c.keys))
	for i := range c.keys {
		r := IDRow{string(c.keys[i]), string(c.ids[i]), uint64(c.fingerprints[i]), c.results[i]}
		out[r.Ref()] = r
	}
	return out
}

// List implements Store.
func (p *Postgres) List(ctx context.Context, prefix, after string, limit int) ([]KeyValue, error) {
	if err := checkText(prefix, after); err != nil || limit <= 0 {
		return nil, err
	}
	const bounded = "select key, value from counters where key >= $1 and key > $2 and key < $3 order by key limit $4"
	const open = "select key, value from counters where key >= $1 and key > $2 order by key limit $3"
	sql, args := open, []any{prefix, after, limit}
	if past, ok := pastPrefix(prefix); ok {
		sql, args = bounded, []any{prefix, after, past, limit}
	}
	var page []KeyValue
	err := with(ctx, p.pool, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[KeyValue])
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

func signed(partitions []uint32) []int32 {
	out := make([]int32, len(partitions))
	for i, p := range partitions {
		out[i] = int32(p)
	}
	return out
}
