package flush

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Register implements Store. Registering the same process again renews its lease.
func (p *Postgres) Register(ctx context.Context, n Node, ttl time.Duration) error {
	var answer string
	err := with(ctx, p.leases, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "select pinocchio_register_v1($1, $2, $3, $4, $5, $6)",
			toUUID(n.ID), n.Name, n.HTTPAddr, n.PeerAddr, n.GossipAddr, microseconds(ttl)).Scan(&answer)
	})
	switch {
	case err != nil:
		return err
	case answer == "name taken":
		return ErrNameTaken
	case answer == "closed":
		return ErrClosed
	case answer != "registered":
		return fmt.Errorf("unexpected answer %q to a registration", answer)
	}
	return nil
}

// Renew implements Store.
func (p *Postgres) Renew(ctx context.Context, id uuid.UUID, ttl time.Duration) (View, error) {
	var v viewRow
	var absence string
	err := with(ctx, p.leases, func(c *pgx.Conn) error {
		const renew = "select * from pinocchio_renew_v1($1, $2)"
		err := c.QueryRow(ctx, renew, toUUID(id), microseconds(ttl)).Scan(v.columns()...)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return c.QueryRow(ctx, "select pinocchio_absence_v1($1)", toUUID(id)).Scan(&absence)
	})
	switch {
	case err != nil:
		return View{}, err
	case absence == "closed":
		return View{}, ErrClosed
	case absence == "missing":
		return View{}, ErrMissing
	case absence != "": // it was registered between the two statements
		return View{}, &RetryError{fmt.Errorf("the process is %s now", absence)}
	}
	return v.view(), nil
}

// View implements Store.
func (p *Postgres) View(ctx context.Context) (View, error) {
	var v viewRow
	err := with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "select * from pinocchio_view_v1()").Scan(v.columns()...)
	})
	return v.view(), err
}

// SetDraining implements Store. ErrClosed when the process is closed or missing.
func (p *Postgres) SetDraining(ctx context.Context, id uuid.UUID) error {
	return with(ctx, p.leases, func(c *pgx.Conn) error {
		done, err := c.Exec(ctx, "update nodes set draining = true where id = $1 and closed_at is null", toUUID(id))
		if err == nil && done.RowsAffected() == 0 {
			return ErrClosed
		}
		return err
	})
}

// Claim implements Store. It waits for flushes of these partitions that are under way.
func (p *Postgres) Claim(ctx context.Context, id uuid.UUID, want []Ownership) ([]Ownership, error) {
	partitions, owners, epochs := make([]int32, len(want)), make([]pgtype.UUID, len(want)), make([]int64, len(want))
	for i, w := range want {
		partitions[i], owners[i], epochs[i] = int32(w.Partition), toUUID(w.Owner), int64(w.Epoch)
	}
	return p.take(ctx, id, "select * from pinocchio_claim_v1($1, $2, $3, $4)", toUUID(id), partitions, owners, epochs)
}

// Reclaim implements Store. It waits for flushes of these partitions that are under way.
func (p *Postgres) Reclaim(ctx context.Context, id uuid.UUID, want []Reclaim) ([]Ownership, error) {
	if err := validateReclaim(want); err != nil {
		return nil, err
	}
	n := len(want)
	partitions, owners, epochs, aboves := make([]int32, n), make([]pgtype.UUID, n), make([]int64, n), make([]int64, n)
	for i, w := range want {
		partitions[i], owners[i] = int32(w.Partition), toUUID(w.Owner)
		epochs[i], aboves[i] = int64(w.Epoch), int64(w.Above)
	}
	const sql = "select * from pinocchio_reclaim_v1($1, $2, $3, $4, $5)"
	return p.take(ctx, id, sql, toUUID(id), partitions, owners, epochs, aboves)
}

// take runs a statement that makes id an owner and returns rows of partition and epoch.
func (p *Postgres) take(ctx context.Context, id uuid.UUID, sql string, args ...any) ([]Ownership, error) {
	var won []Ownership
	err := with(ctx, p.pool, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		won, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Ownership, error) {
			o := Ownership{Owner: id}
			return o, row.Scan(&o.Partition, &o.Epoch)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// CloseNode implements Store. It may be repeated.
func (p *Postgres) CloseNode(ctx context.Context, id uuid.UUID, persisted bool) error {
	return with(ctx, p.pool, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "select pinocchio_close_v1($1, $2)", toUUID(id), persisted)
		return err
	})
}

// Expire implements Store.
func (p *Postgres) Expire(ctx context.Context, retention time.Duration) (removed int, err error) {
	err = with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "select pinocchio_expire_v2($1)", microseconds(retention)).Scan(&removed)
	})
	return removed, err
}

// ExpireIDs implements Store.
func (p *Postgres) ExpireIDs(ctx context.Context, limit int) (removed int, err error) {
	err = with(ctx, p.pool, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "select pinocchio_expire_ids_v1($1)", max(limit, 0)).Scan(&removed)
	})
	return removed, err
}

// nodeColumns receives parallel arrays with one element for each process.
type nodeColumns struct {
	ids             []pgtype.UUID
	names           []string
	http, peer, gos []string
	leftUS          []int64
	draining        []bool
}

func (n *nodeColumns) columns() []any {
	return []any{&n.ids, &n.names, &n.http, &n.peer, &n.gos, &n.leftUS, &n.draining}
}

func (n *nodeColumns) states() []NodeState {
	out := make([]NodeState, len(n.ids))
	for i := range out {
		out[i] = NodeState{
			Node: Node{
				ID: n.ids[i].Bytes, Name: n.names[i],
				HTTPAddr: n.http[i], PeerAddr: n.peer[i], GossipAddr: n.gos[i],
			},
			LeaseLeft: time.Duration(n.leftUS[i]) * time.Microsecond,
			Draining:  n.draining[i],
		}
	}
	return out
}

// ownerColumns receives parallel arrays with one element for each partition.
type ownerColumns struct {
	partitions []int32
	owners     []pgtype.UUID
	epochs     []int64
}

func (o *ownerColumns) columns() []any { return []any{&o.partitions, &o.owners, &o.epochs} }

func (o *ownerColumns) ownerships() []Ownership {
	out := make([]Ownership, len(o.partitions))
	for i := range out {
		out[i] = Ownership{Partition: uint32(o.partitions[i]), Owner: o.owners[i].Bytes, Epoch: uint64(o.epochs[i])}
	}
	return out
}

// viewRow receives a View.
type viewRow struct {
	nodes  nodeColumns
	owners ownerColumns
}

func (v *viewRow) columns() []any { return append(v.nodes.columns(), v.owners.columns()...) }

func (v *viewRow) view() View { return View{Nodes: v.nodes.states(), Owners: v.owners.ownerships()} }
