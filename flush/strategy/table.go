package strategy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Strategy is one way of adding to counters. Its methods may be called concurrently.
type Strategy interface {
	// Name is a short name for a table's row.
	Name() string
	// Increment adds delta to the key's counter, which is created where there is none. The direct strategies have
	// committed when it returns nil; after an error the outcome is unknown, except for ErrOutOfRange.
	Increment(ctx context.Context, key string, delta int64) error
	// Flush returns nil when everything that was incremented before it is in the table.
	Flush(ctx context.Context) error
	// Close flushes and ends the strategy. It is called once, after the last Increment.
	Close(ctx context.Context) error
}

// ErrOutOfRange is returned for an increment that would leave the range of a signed 64-bit integer; it was not counted.
var ErrOutOfRange = errors.New("the sum is out of the range of a 64-bit integer")

// ErrInUse is returned by Open while another process measures on the same database.
var ErrInUse = errors.New("another run uses the strategies' tables of this database: wait for its end, or take another database")

// Table is the strategies' own table.
type Table struct {
	pool *pgxpool.Pool
	lock *pgx.Conn // holds the advisory lock while the table is open
}

// tableLock is the advisory lock of who measures ("strategy" in ASCII).
const tableLock int64 = 0x7374726174656779

const createTables = `
create table if not exists strategy_counters (key text primary key, value bigint not null);
create table if not exists strategy_writers (writer uuid primary key, batch bigint not null)`

// Open connects to the Postgres that the URL names, with at most conns connections for the strategies, and makes the tables,
// empty. Errors: ErrInUse, and what the driver says.
func Open(ctx context.Context, url string, conns int) (*Table, error) {
	if scheme, _, _ := strings.Cut(url, "://"); scheme != "postgres" && scheme != "postgresql" {
		return nil, errors.New("the strategies are measured on Postgres: the store must be a URL that begins with postgres://")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(max(1, min(conns, 1000)))
	lock, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, lock); err != nil {
		return nil, errors.Join(err, lock.Close(context.WithoutCancel(ctx)))
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, errors.Join(err, lock.Close(context.WithoutCancel(ctx)))
	}
	return &Table{pool: pool, lock: lock}, nil
}

func prepare(ctx context.Context, c *pgx.Conn) error {
	var alone bool
	if err := c.QueryRow(ctx, "select pg_try_advisory_lock($1)", tableLock).Scan(&alone); err != nil {
		return err
	}
	if !alone {
		return ErrInUse
	}
	if _, err := c.PgConn().Exec(ctx, createTables).ReadAll(); err != nil {
		return fmt.Errorf("create the strategies' tables: %w", err)
	}
	return empty(ctx, c)
}

// Close ends all connections; the tables stay, for whoever wants to look at them.
func (t *Table) Close(ctx context.Context) error {
	t.pool.Close()
	return t.lock.Close(ctx)
}

// Clear deletes every counter.
func (t *Table) Clear(ctx context.Context) error { return empty(ctx, t.lock) }

func empty(ctx context.Context, c *pgx.Conn) error {
	_, err := c.PgConn().Exec(ctx, "truncate strategy_counters, strategy_writers").ReadAll()
	return err
}

// Value returns what the table says of a key, 0 where it has no row.
func (t *Table) Value(ctx context.Context, key string) (value int64, err error) {
	err = t.pool.QueryRow(ctx, "select coalesce(max(value), 0) from strategy_counters where key = $1", key).Scan(&value)
	return value, err
}

// Sum returns the sum of all counters, and their count.
func (t *Table) Sum(ctx context.Context) (sum, counters int64, err error) {
	const sql = "select coalesce(sum(value), 0)::bigint, count(*) from strategy_counters"
	err = t.pool.QueryRow(ctx, sql).Scan(&sum, &counters)
	return sum, counters, err
}

// Version returns the server's version, as it tells it.
func (t *Table) Version(ctx context.Context) (version string, err error) {
	err = t.pool.QueryRow(ctx, "show server_version").Scan(&version)
	return version, err
}

// SQLSTATE codes.
const (
	uniqueViolation        = "23505"
	numericValueOutOfRange = "22003"
)

// has says whether the server answered with this SQLSTATE.
func has(err error, code string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == code
}

// inRange turns the server's out of range into ErrOutOfRange.
func inRange(err error) error {
	if has(err, numericValueOutOfRange) {
		return ErrOutOfRange
	}
	return err
}
