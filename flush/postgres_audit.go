package flush

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// auditSQL is one statement, hence one snapshot. Sums cross as decimal text: they may be wider than any integer.
const auditSQL = `select m.base_sum::text, m.retired_sum::text,
		(select coalesce(sum(value), 0)::text from counters),
		(select coalesce(sum(delta), 0)::text from quarantine),
		o.*
	from cluster_meta m,
	     (select array_agg(s.origin), array_agg(coalesce(n.name, '')), array_agg(n.id is null or n.closed_at is not null),
	             array_agg(coalesce((extract(epoch from n.lease_until - clock_timestamp()) * 1000000)::bigint, 0)),
	             array_agg(s.operations::text), array_agg(s.total::text)
	      from (select origin, sum(number) as operations, sum(sum) as total
	            from ledger group by origin order by origin) s
	      left join nodes n on n.id = s.origin) o`

// Audit implements Store.
func (p *Postgres) Audit(ctx context.Context) (AuditReport, error) {
	var base, retired, counters, quarantine string
	var o originColumns
	err := with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, auditSQL).Scan(&base, &retired, &counters, &quarantine,
			&o.ids, &o.names, &o.closed, &o.leftUS, &o.operations, &o.sums)
	})
	if err != nil {
		return AuditReport{}, err
	}
	var d decimals
	a := AuditReport{
		Base: d.parse(base), Retired: d.parse(retired), Counters: d.parse(counters), Quarantine: d.parse(quarantine),
		Origins: o.sorted(&d),
	}
	return a, d.err
}

// originColumns receives parallel arrays with one element for each origin.
type originColumns struct {
	ids              []pgtype.UUID
	names            []string
	closed           []bool
	leftUS           []int64
	operations, sums []string
}

func (o *originColumns) sorted(d *decimals) []OriginSum {
	out := make([]OriginSum, len(o.ids))
	for i := range out {
		out[i] = OriginSum{
			Origin: o.ids[i].Bytes, Name: o.names[i], Closed: o.closed[i],
			LeaseLeft:  time.Duration(o.leftUS[i]) * time.Microsecond,
			Operations: d.parse(o.operations[i]).Uint64(), Sum: d.parse(o.sums[i]),
		}
	}
	sortOrigins(out)
	return out
}

// decimals reads integers and keeps the first error.
type decimals struct{ err error }

func (d *decimals) parse(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if ok {
		return n
	}
	if d.err == nil {
		d.err = fmt.Errorf("unexpected content: sum %q", text)
	}
	return new(big.Int)
}
