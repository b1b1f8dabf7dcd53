package flush

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Postgres is the store for clusters. Everything that takes locks is one statement, so a client that vanishes
// never leaves an open transaction behind, and a pooler in transaction mode may stand between (with
// default_query_exec_mode=exec in the URL when it does not track prepared statements).
type Postgres struct {
	pool *pgxpool.Pool
	// leases has connections of its own: a lease must not run out because flushes and reads hold all the others.
	leases    *pgxpool.Pool
	clusterID uuid.UUID
}

var _ Store = (*Postgres)(nil)

const (
	connectTimeout = "5" // seconds; a dial outlives its caller's context, so it needs a bound of its own
	// One does in quiet times. In a dead network each try hangs in a dial: the next one finds another place, and the first
	// try after the network healed passes.
	leaseConns  = 4
	pingTimeout = time.Second
)

// newPostgres makes the pools; no connection yet.
func newPostgres(ctx context.Context, rawURL string, opt Options) (*Postgres, error) {
	config, err := pgxpool.ParseConfig(withParameter(rawURL, "connect_timeout", connectTimeout))
	if err != nil {
		return nil, err
	}
	if !hasParameter(rawURL, "pool_max_conns") {
		config.MaxConns = opt.MaxConns
	}
	// A connection that idled is pinged before use: better than a flush with an unknown outcome.
	config.PingTimeout = pingTimeout
	config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = opt.Application
	}
	p := &Postgres{}
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	forLeases := config.Copy()
	forLeases.MaxConns, forLeases.MinConns, forLeases.MinIdleConns = leaseConns, 0, 0
	if p.leases, err = pgxpool.NewWithConfig(ctx, forLeases); err != nil {
		p.pool.Close()
		return nil, err
	}
	return p, nil
}

// Close implements Store.
func (p *Postgres) Close() error {
	p.pool.Close()
	p.leases.Close()
	return nil
}

// ClusterID implements Store.
func (p *Postgres) ClusterID() uuid.UUID { return p.clusterID }

// Ping implements Store.
func (p *Postgres) Ping(ctx context.Context) error {
	return with(ctx, p.pool, func(c *pgx.Conn) error { return c.Ping(ctx) })
}

// with runs f on a connection of the pool and classifies its error.
func with(ctx context.Context, pool *pgxpool.Pool, f func(*pgx.Conn) error) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return &RetryError{err}
	}
	err = f(c.Conn())
	if c.Conn().IsClosed() {
		// The driver winds a broken connection up in the background, for up to 15 s when the network swallows
		// everything. It must not hold one of our few places meanwhile.
		c.Hijack()
	} else {
		c.Release()
	}
	return classifyPostgres(err)
}

// classifyPostgres sorts the driver's errors into this package's. An answer of severity ERROR means that the
// transaction was rolled back. FATAL does not: a server may be told to stop between a commit and its reply.
func classifyPostgres(err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		if pgconn.SafeToRetry(err) {
			return &RetryError{err}
		}
		return err
	}
	severity := answer.SeverityUnlocalized
	if severity == "" {
		severity = answer.Severity
	}
	if severity != "ERROR" {
		return err
	}
	if isDataCode(answer.Code) {
		return &DataError{Code: answer.Code, Err: err}
	}
	return &RetryError{err}
}

// isCancelled says that the server ended the statement, most likely since it took longer than the server's own statement_timeout.
func isCancelled(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "57014"
}

// isDataCode reports whether the SQLSTATE speaks of the data, so that trying again cannot help: the classes
// of Postgres that do, and every class that Postgres itself does not use (a trigger's own).
func isDataCode(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "09", "21", "22", "23", "27", "44", "P0":
		return true
	case "54":
		return code == "54000" // program_limit_exceeded: a key too long for the index. Others are about the server.
	}
	const others = "00 01 02 03 08 0A 0B 0F 0L 0P 0Z 20 24 25 26 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 53 55 57 58 72 F0 HV XX "
	return !strings.Contains(others, code[:2]+" ")
}

// hasParameter reports whether the URL's query has a parameter. Not by url.Parse, which refuses several hosts.
func hasParameter(rawURL, name string) bool {
	_, query, _ := strings.Cut(rawURL, "?")
	values, _ := url.ParseQuery(query)
	return values.Has(name)
}

// withParameter adds a parameter to the URL's query unless it has it.
func withParameter(rawURL, name, value string) string {
	switch {
	case hasParameter(rawURL, name):
		return rawURL
	case strings.Contains(rawURL, "?"):
		return rawURL + "&" + name + "=" + value
	}
	return rawURL + "?" + name + "=" + value
}

// toUUID maps uuid.Nil to null.
func toUUID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

// microseconds is the unit in which durations cross to the database.
func microseconds(d time.Duration) int64 { return d.Microseconds() }
