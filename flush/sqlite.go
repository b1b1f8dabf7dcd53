package flush

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite is the embedded store: one file on one host, which several processes may open. Its transactions
// are serial, so every writing method is one transaction with plain reads and writes inside.
type SQLite struct {
	writer  *sql.DB // one connection; its transactions take the file's write lock when they begin
	readers *sql.DB

	clusterID uuid.UUID
}

var _ Store = (*SQLite)(nil)

// Close implements Store.
func (l *SQLite) Close() error { return errors.Join(l.readers.Close(), l.writer.Close()) }

// Ping implements Store.
func (l *SQLite) Ping(ctx context.Context) error {
	return l.read(ctx, func(tx *sql.Tx) error {
		var one int
		return tx.QueryRowContext(ctx, "select only_row from cluster_meta").Scan(&one)
	})
}

// write runs f in a transaction and commits when f says so. Whatever fails before the commit was rolled back; an error
// of the commit itself leaves the outcome unknown and is returned as it is.
func (l *SQLite) write(ctx context.Context, f func(*sql.Tx) (commit bool, err error)) error {
	tx, err := l.writer.BeginTx(ctx, nil)
	if err != nil {
		return classifySQLite(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	commit, err := f(tx)
	if err != nil {
		return classifySQLite(err)
	}
	if !commit {
		return nil
	}
	return tx.Commit()
}

// read runs f in a transaction of its own, hence on one snapshot.
func (l *SQLite) read(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := l.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return classifySQLite(err)
	}
	defer func() { _ = tx.Rollback() }()
	return classifySQLite(f(tx))
}

// classifySQLite sorts errors that came before a commit into this package's.
func classifySQLite(err error) error {
	var data *DataError
	for _, own := range []error{nil, ErrNameTaken, ErrClosed, ErrMissing, ErrRequest} {
		if errors.Is(err, own) {
			return err
		}
	}
	if errors.As(err, &data) {
		return err
	}
	var answer *sqlite.Error
	if errors.As(err, &answer) {
		if code := sqlstate(answer.Code()); code != "" {
			return &DataError{Code: code, Err: err}
		}
	}
	return &RetryError{err}
}

// sqlstate returns the SQLSTATE for an extended result code that speaks of the data, else "".
func sqlstate(code int) string {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return "22003" // a sum became a real: out of the range of 64 bits
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return "23502"
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return "23505"
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return "23514"
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return "P0001"
	}
	switch code & 0xff { // the primary code
	case sqlite3.SQLITE_CONSTRAINT:
		return "23000"
	case sqlite3.SQLITE_MISMATCH:
		return "22018"
	case sqlite3.SQLITE_TOOBIG:
		return "54000"
	}
	return ""
}

// nowUS is this host's clock, which is the store's: microseconds since 1970.
func nowUS() int64 { return time.Now().UnixMicro() }

// nowText is the form in which people read times.
func nowText() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// collect runs a query and scans each row into one element.
func collect[T any](ctx context.Context, tx *sql.Tx, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, fmt.Errorf("unexpected content: %w", err)
		}
		out = append(out, one)
	}
	return out, rows.Err()
}
