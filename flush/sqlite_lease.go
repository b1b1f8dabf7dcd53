package flush

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Register implements Store. Registering the same process again renews its lease.
func (l *SQLite) Register(ctx context.Context, n Node, ttl time.Duration) error {
	return l.write(ctx, func(tx *sql.Tx) (bool, error) {
		var taken bool
		const live = "select exists (select 1 from nodes where name = ? and id <> ? and closed_at_us is null and lease_until_us >= ?)"
		if err := tx.QueryRowContext(ctx, live, n.Name, n.ID.String(), nowUS()).Scan(&taken); err != nil {
			return false, err
		}
		if taken {
			return false, ErrNameTaken
		}
		const upsert = `insert into nodes (id, name, http_addr, peer_addr, gossip_addr, lease_until_us, registered_at)
			values (?, ?, ?, ?, ?, ?, ?)
			on conflict (id) do update set name = excluded.name, http_addr = excluded.http_addr,
				peer_addr = excluded.peer_addr, gossip_addr = excluded.gossip_addr, lease_until_us = excluded.lease_until_us
			where closed_at_us is null`
		return changed(tx.ExecContext(ctx, upsert, n.ID.String(), n.Name, n.HTTPAddr, n.PeerAddr, n.GossipAddr,
			nowUS()+microseconds(ttl), nowText()))
	})
}

// changed turns "no row was changed" into ErrClosed.
func changed(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		err = ErrClosed
	}
	return err == nil, err
}

// Renew implements Store.
func (l *SQLite) Renew(ctx context.Context, id uuid.UUID, ttl time.Duration) (v View, err error) {
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		const renew = "update nodes set lease_until_us = ? where id = ? and closed_at_us is null"
		ok, err := changed(tx.ExecContext(ctx, renew, nowUS()+microseconds(ttl), id.String()))
		if errors.Is(err, ErrClosed) {
			err = absence(ctx, tx, id)
		}
		if err == nil {
			v, err = readView(ctx, tx)
		}
		return ok, err
	})
	return v, err
}

// absence tells, of a process without an open row, whether it was closed or is missing.
func absence(ctx context.Context, tx *sql.Tx, id uuid.UUID) error {
	const sql = `select exists (select 1 from nodes where id = ?1)
		or exists (select 1 from cluster_meta where ?1 <= forgotten)`
	var closed bool
	if err := tx.QueryRowContext(ctx, sql, id.String()).Scan(&closed); err != nil {
		return err
	}
	if closed {
		return ErrClosed
	}
	return ErrMissing
}

// View implements Store.
func (l *SQLite) View(ctx context.Context) (v View, err error) {
	err = l.read(ctx, func(tx *sql.Tx) error {
		v, err = readView(ctx, tx)
		return err
	})
	return v, err
}

func readView(ctx context.Context, tx *sql.Tx) (v View, err error) {
	if v.Nodes, err = readNodes(ctx, tx); err != nil {
		return View{}, err
	}
	v.Owners, err = collect(ctx, tx, func(rows *sql.Rows, o *Ownership) error {
		var owner uuid.NullUUID
		err := rows.Scan(&o.Partition, &owner, &o.Epoch)
		o.Owner = owner.UUID
		return err
	}, "select partition, owner, epoch from partition_owner order by partition")
	return v, err
}

func readNodes(ctx context.Context, tx *sql.Tx) ([]NodeState, error) {
	now := nowUS()
	return collect(ctx, tx, func(rows *sql.Rows, n *NodeState) error {
		var until int64
		err := rows.Scan(&n.ID, &n.Name, &n.HTTPAddr, &n.PeerAddr, &n.GossipAddr, &until, &n.Draining)
		n.LeaseLeft = time.Duration(until-now) * time.Microsecond
		return err
	}, `select id, name, http_addr, peer_addr, gossip_addr, lease_until_us, draining
		from nodes where closed_at_us is null order by id`)
}

// SetDraining implements Store. ErrClosed when the process is closed or missing.
func (l *SQLite) SetDraining(ctx context.Context, id uuid.UUID) error {
	return l.write(ctx, func(tx *sql.Tx) (bool, error) {
		return changed(tx.ExecContext(ctx, "update nodes set draining = 1 where id = ? and closed_at_us is null", id.String()))
	})
}

// Claim implements Store.
func (l *SQLite) Claim(ctx context.Context, id uuid.UUID, want []Ownership) (won []Ownership, err error) {
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		won = nil
		now := nowUS()
		alive, err := isAlive(ctx, tx, id, now)
		if err != nil || !alive {
			return false, err
		}
		for _, w := range want {
			var owner uuid.NullUUID
			var epoch uint64
			row := tx.QueryRowContext(ctx, "select owner, epoch from partition_owner where partition = ?", w.Partition)
			if err := row.Scan(&owner, &epoch); errors.Is(err, sql.ErrNoRows) {
				continue
			} else if err != nil {
				return false, err
			}
			// Won by an earlier try, whose answer was lost: answered again.
			ours := owner.UUID == id && epoch == w.Epoch+1
			if !ours {
				busy, err := isAlive(ctx, tx, owner.UUID, now)
				if err != nil {
					return false, err
				}
				if busy || owner.UUID != w.Owner || epoch != w.Epoch {
					continue
				}
				const take = "update partition_owner set owner = ?, epoch = epoch + 1 where partition = ?"
				if _, err := tx.ExecContext(ctx, take, id.String(), w.Partition); err != nil {
					return false, err
				}
			}
			won = append(won, Ownership{Partition: w.Partition, Owner: id, Epoch: w.Epoch + 1})
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// Reclaim implements Store.
func (l *SQLite) Reclaim(ctx context.Context, id uuid.UUID, want []Reclaim) (won []Ownership, err error) {
	if err := validateReclaim(want); err != nil {
		return nil, err
	}
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		won = nil
		alive, err := isAlive(ctx, tx, id, nowUS())
		if err != nil || !alive {
			return false, err
		}
		for _, w := range want {
			ours := Ownership{Partition: w.Partition, Owner: id, Epoch: w.Above + 1}
			// Also where it stands like that already: won by an earlier try, whose answer was lost.
			done, err := tx.ExecContext(ctx, `update partition_owner set owner = ?1, epoch = ?2
				where partition = ?3 and (owner is ?4 and epoch = ?5 or owner = ?1 and epoch = ?2)`,
				id.String(), ours.Epoch, w.Partition, uuid.NullUUID{UUID: w.Owner, Valid: w.Owner != uuid.Nil}, w.Epoch)
			if err != nil {
				return false, err
			}
			n, err := done.RowsAffected()
			if err != nil {
				return false, err
			}
			if n == 1 {
				won = append(won, ours)
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return won, nil
}

// isAlive reports whether the process is registered, not closed, and has a lease at that time.
func isAlive(ctx context.Context, tx *sql.Tx, id uuid.UUID, atUS int64) (alive bool, err error) {
	const live = "select exists (select 1 from nodes where id = ? and closed_at_us is null and lease_until_us >= ?)"
	err = tx.QueryRowContext(ctx, live, id.String(), atUS).Scan(&alive)
	return alive, err
}

// CloseNode implements Store. It may be repeated.
func (l *SQLite) CloseNode(ctx context.Context, id uuid.UUID, persisted bool) error {
	return l.write(ctx, func(tx *sql.Tx) (bool, error) {
		const tombstone = "update nodes set closed_at_us = ? where id = ? and closed_at_us is null"
		_, err := tx.ExecContext(ctx, tombstone, nowUS(), id.String())
		if err == nil && persisted {
			_, err = tx.ExecContext(ctx, "delete from ledger where origin = ?", id.String())
		}
		return true, err
	})
}

// Expire implements Store. A removed process is as good as a closed one: nothing is accepted of an unknown origin.
func (l *SQLite) Expire(ctx context.Context, retention time.Duration) (removed int, err error) {
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		const gone = "select id from nodes where coalesce(closed_at_us, lease_until_us) < ?"
		before := nowUS() - microseconds(retention)
		// Whom absence must still call closed.
		const forget = `update cluster_meta set forgotten = coalesce(max(forgotten, g.id), g.id)
			from (select max(id) as id from (` + gone + `)) g where g.id is not null`
		if _, err := tx.ExecContext(ctx, forget, before); err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, "delete from ledger where origin in ("+gone+")", before); err != nil {
			return false, err
		}
		done, err := tx.ExecContext(ctx, "delete from nodes where id in ("+gone+")", before)
		if err != nil {
			return false, err
		}
		n, err := done.RowsAffected()
		removed = int(n)
		return true, err
	})
	return removed, err
}

// ExpireIDs implements Store.
func (l *SQLite) ExpireIDs(ctx context.Context, limit int) (removed int, err error) {
	err = l.write(ctx, func(tx *sql.Tx) (bool, error) {
		horizon, err := idHorizon(ctx, tx)
		if err != nil {
			return false, err
		}
		done, err := tx.ExecContext(ctx, `delete from idempotency_keys where (key, id) in (
			select key, id from idempotency_keys where expires_at_us < ? order by expires_at_us limit ?)`, horizon, max(limit, 0))
		if err != nil {
			return false, err
		}
		n, err := done.RowsAffected()
		removed = int(n)
		return true, err
	})
	return removed, err
}

// idHorizon returns the time before which records of idempotency keys must have expired to be deleted: now, or the first
// registration of a process that vanished (see Store.ExpireIDs).
func idHorizon(ctx context.Context, tx *sql.Tx) (us int64, err error) {
	us = nowUS()
	var first sql.NullString
	const vanished = "select min(registered_at) from nodes where closed_at_us is null and lease_until_us < ?"
	if err := tx.QueryRowContext(ctx, vanished, us).Scan(&first); err != nil || !first.Valid {
		return us, err
	}
	at, err := time.Parse(time.RFC3339Nano, first.String)
	return min(us, at.UnixMicro()), err
}
