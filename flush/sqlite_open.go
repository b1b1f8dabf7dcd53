package flush

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	sqliteReaders = 4
	// The wait for another process's transaction when the caller's context has no deadline; a context that
	// ends ends the wait.
	busyTimeout = 30 * time.Second
	busyRetry   = 10 * time.Millisecond
)

// OpenSQLite is Open for a file. Missing folders are created. A database in memory is refused: it would be
// another one for each connection.
func OpenSQLite(ctx context.Context, path string, s Settings, opt Options) (*SQLite, error) {
	opt = opt.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	if path == "" || strings.Contains(path, ":memory:") {
		return nil, errors.New("the store's URL must be sqlite:PATH, with the path of a file")
	}
	steps, err := migrations("sqlite")
	if err != nil {
		return nil, err
	}
	prepare := (*SQLite).prepare
	if opt.Existing {
		prepare = (*SQLite).examine
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, &SchemaError{Known: len(steps)}
		}
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	l, err := newSQLite(path, opt.Existing)
	if err != nil {
		return nil, err
	}
	if err := prepare(l, ctx, steps, s, opt); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// examine compares the schema and the settings, and writes nothing.
func (l *SQLite) examine(ctx context.Context, steps []migration, s Settings, _ Options) error {
	var stored meta
	err := l.read(ctx, func(tx *sql.Tx) error {
		var have int
		if err := tx.QueryRowContext(ctx, "pragma user_version").Scan(&have); err != nil {
			return err
		}
		err := exactly(steps, have)
		if err == nil {
			stored, err = storedSQLite(ctx, tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	l.clusterID = stored.id
	return s.compare(stored.Settings)
}

// newSQLite makes the connection pools.
//
// WAL: readers and the writer do not wait for each other. synchronous=FULL syncs the log at each commit; the
// usual companion of WAL, NORMAL, would let a power cut take back commits that had been answered as persisted, and
// origins have dropped these operations by then (R6). Of a file that must exist nothing is changed, its mode included.
func newSQLite(path string, existing bool) (*SQLite, error) {
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	common := fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)", busyTimeout.Milliseconds())
	if existing {
		common = fmt.Sprintf("?mode=rw&_pragma=busy_timeout(%d)&_pragma=query_only(1)", busyTimeout.Milliseconds())
	}
	const forWriter = "&_txlock=immediate&_pragma=cache_size(-32768)" // KiB: flushes touch pages all over the counters
	writer, err := sql.Open("sqlite", file+common+forWriter)
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", file+common+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	writer.SetMaxOpenConns(1)
	readers.SetMaxOpenConns(sqliteReaders)
	readers.SetMaxIdleConns(sqliteReaders)
	return &SQLite{writer: writer, readers: readers}, nil
}

// prepare brings the schema up to date, writes the settings if there are none, and compares them.
func (l *SQLite) prepare(ctx context.Context, steps []migration, s Settings, opt Options) error {
	if err := l.awaitWAL(ctx); err != nil {
		return err
	}
	var stored meta
	err := l.write(ctx, func(tx *sql.Tx) (bool, error) { // its write lock makes several openers take turns
		var have int
		if err := tx.QueryRowContext(ctx, "pragma user_version").Scan(&have); err != nil {
			return false, err
		}
		todo, err := missing(steps, have)
		if err != nil {
			return false, err
		}
		for _, m := range todo {
			version := fmt.Sprintf("pragma user_version = %d", m.version)
			for _, text := range []string{m.sql, version} {
				if _, err := tx.ExecContext(ctx, text); err != nil {
					return false, fmt.Errorf("migration %04d_%s: %w", m.version, m.name, err)
				}
			}
			opt.Logger.Info("store schema migrated", "version", m.version, "name", m.name)
		}
		stored, err = settleSQLite(ctx, tx, s)
		return true, err
	})
	if err != nil {
		return err
	}
	l.clusterID = stored.id
	return s.compare(stored.Settings)
}

// awaitWAL opens the writer's connection. Switching a new file to WAL fails at once, without the busy timeout, when
// another process is doing the same.
func (l *SQLite) awaitWAL(ctx context.Context) error {
	for {
		var mode string
		err := l.writer.QueryRowContext(ctx, "pragma journal_mode").Scan(&mode)
		if err == nil && mode != "wal" {
			return fmt.Errorf("the store's file cannot use write-ahead logging (journal mode %q): is it on a network disk?", mode)
		}
		var answer *sqlite.Error
		if err == nil || !errors.As(err, &answer) || answer.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyRetry):
		}
	}
}

// settleSQLite writes the settings, the cluster's id and one owner row for each partition, unless the store has settings; it
// returns what stands.
func settleSQLite(ctx context.Context, tx *sql.Tx, s Settings) (stored meta, err error) {
	done, err := tx.ExecContext(ctx, `insert into cluster_meta (only_row, cluster, partitions, hash, ring, created_at)
		values (1, ?, ?, ?, ?, ?) on conflict do nothing`, s.Cluster, s.Partitions, s.Hash, s.Ring, nowText())
	if err != nil {
		return stored, err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		const owners = `with recursive p(n) as (select 0 union all select n + 1 from p where n + 1 < ?)
			insert into partition_owner (partition) select n from p`
		if _, err := tx.ExecContext(ctx, owners, s.Partitions); err != nil {
			return stored, err
		}
	}
	// A store of a release that gave none has none yet.
	if _, err := tx.ExecContext(ctx, "update cluster_meta set id = ? where id is null", uuid.NewString()); err != nil {
		return stored, err
	}
	return storedSQLite(ctx, tx)
}

// storedSQLite returns the cluster's settings and name.
func storedSQLite(ctx context.Context, tx *sql.Tx) (stored meta, err error) {
	row := tx.QueryRowContext(ctx, "select cluster, partitions, hash, ring, id from cluster_meta")
	err = row.Scan(&stored.Cluster, &stored.Partitions, &stored.Hash, &stored.Ring, &stored.id)
	return stored, err
}
