package flush

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// migrationLock is the advisory lock that openers of one database take in turn ("pinocchi" in ASCII).
const migrationLock int64 = 0x70696e6f63636869

// OpenPostgres is Open for a Postgres URL. Several nodes may open an empty or an old database at once.
func OpenPostgres(ctx context.Context, url string, s Settings, opt Options) (*Postgres, error) {
	opt = opt.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	steps, err := migrations("postgres")
	if err != nil {
		return nil, err
	}
	p, err := newPostgres(ctx, url, opt)
	if err != nil {
		return nil, err
	}
	err = with(ctx, p.pool, func(c *pgx.Conn) error {
		if err := checkServer(ctx, c); err != nil {
			return err
		}
		stored, err := prepared(ctx, c, steps, s, opt)
		if err != nil {
			return err
		}
		p.clusterID = stored.id
		return s.compare(stored.Settings)
	})
	if err != nil {
		p.pool.Close()
		p.leases.Close()
		return nil, err
	}
	return p, nil
}

// prepared returns what stands in cluster_meta, and brings the schema up to date before unless it must exist.
func prepared(ctx context.Context, c *pgx.Conn, steps []migration, s Settings, opt Options) (stored meta, err error) {
	have, err := schemaVersion(ctx, c)
	if err != nil {
		return stored, err
	}
	if opt.Existing {
		if err := exactly(steps, have); err != nil {
			return stored, err
		}
		if stored, err = storedMeta(ctx, c); errors.Is(err, pgx.ErrNoRows) {
			err = &SchemaError{Known: len(steps)}
		}
		return stored, err
	}
	todo, err := missing(steps, have)
	if err != nil {
		return stored, err
	}
	if len(todo) == 0 { // the usual case, for which reading is enough
		stored, err = storedMeta(ctx, c)
	}
	if len(todo) > 0 || errors.Is(err, pgx.ErrNoRows) {
		stored, err = migratePostgres(ctx, c, steps, s, opt)
	}
	return stored, err
}

// checkServer refuses databases on which the rules would not hold.
func checkServer(ctx context.Context, c *pgx.Conn) error {
	var encoding, isolation string
	const sql = "select current_setting('server_encoding'), current_setting('default_transaction_isolation')"
	if err := c.QueryRow(ctx, sql).Scan(&encoding, &isolation); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: keys need a database with encoding UTF8", encoding)
	}
	if isolation != "read committed" {
		return fmt.Errorf("default_transaction_isolation is %q: it must be \"read committed\" "+
			"(add default_transaction_isolation=read%%20committed to the URL)", isolation)
	}
	return nil
}

// schemaVersion returns the newest applied migration, 0 for a database without ours.
func schemaVersion(ctx context.Context, c *pgx.Conn) (version int, err error) {
	var exists bool
	err = c.QueryRow(ctx, "select to_regclass('pinocchio_schema') is not null").Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = c.QueryRow(ctx, "select coalesce(max(version), 0) from pinocchio_schema").Scan(&version)
	return version, err
}

// storedMeta returns the cluster's settings and name; pgx.ErrNoRows when there are none yet.
func storedMeta(ctx context.Context, c *pgx.Conn) (m meta, err error) {
	var id pgtype.UUID
	row := c.QueryRow(ctx, "select cluster, partitions, hash, ring, id from cluster_meta")
	err = row.Scan(&m.Cluster, &m.Partitions, &m.Hash, &m.Ring, &id)
	m.id = id.Bytes
	var answer *pgconn.PgError
	if errors.As(err, &answer) && answer.Code == "42P01" { // undefined_table
		return m, pgx.ErrNoRows
	}
	return m, err
}

// migratePostgres brings the schema up to date and writes the settings if there are none, all in one transaction under
// the advisory lock: an opener that waited for another one finds everything done.
func migratePostgres(ctx context.Context, c *pgx.Conn, steps []migration, s Settings, opt Options) (stored meta, err error) {
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		// Should we vanish in the middle, the server must not keep the lock for the next openers.
		if _, err := tx.Exec(ctx, "set local idle_in_transaction_session_timeout = '30s'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", migrationLock); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, createVersions); err != nil {
			return err
		}
		have, err := schemaVersion(ctx, tx.Conn())
		if err != nil {
			return err
		}
		todo, err := missing(steps, have)
		if err != nil {
			return err
		}
		for _, m := range todo {
			if err := applyMigration(ctx, tx, m); err != nil {
				return fmt.Errorf("migration %04d_%s: %w", m.version, m.name, err)
			}
			opt.Logger.Info("store schema migrated", "version", m.version, "name", m.name)
		}
		stored, err = settle(ctx, tx, s)
		return err
	})
	return stored, err
}

const createVersions = `create table if not exists pinocchio_schema (
	version integer primary key, name text not null, applied_at timestamptz not null default now())`

// applyMigration runs one file, which has several statements, and notes it.
func applyMigration(ctx context.Context, tx pgx.Tx, m migration) error {
	if _, err := tx.Conn().PgConn().Exec(ctx, m.sql).ReadAll(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "insert into pinocchio_schema (version, name) values ($1, $2)", m.version, m.name)
	return err
}

// settle writes the settings and one owner row for each partition, unless the store has settings; it returns what stands.
func settle(ctx context.Context, tx pgx.Tx, s Settings) (meta, error) {
	done, err := tx.Exec(ctx, `insert into cluster_meta (only_row, cluster, partitions, hash, ring)
		values (true, $1, $2, $3, $4) on conflict do nothing`, s.Cluster, s.Partitions, s.Hash, s.Ring)
	if err != nil {
		return meta{}, err
	}
	if done.RowsAffected() == 1 {
		const owners = "insert into partition_owner (partition) select generate_series(0, $1::integer - 1)"
		if _, err := tx.Exec(ctx, owners, s.Partitions); err != nil {
			return meta{}, err
		}
	}
	return storedMeta(ctx, tx.Conn())
}
