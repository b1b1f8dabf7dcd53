package flush_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// R12: a statement that the server cancels for its time, which may be much less than ours, is sent in smaller pieces, as one that came to our own.
func TestFlusher_HalvesWhatTheServerCancelsForItsTime_R12(t *testing.T) {
	inBubble(t, flush.FlusherOptions{}, func(b *bench) {
		b.store.fault = func(_ context.Context, _ int, r *flush.Request) (func() error, error) {
			if len(r.Batches) > 2 {
				return nil, &flush.RetryError{Err: &pgconn.PgError{Severity: "ERROR", Code: "57014"}}
			}
			return nil, nil
		}
		for p := range uint32(8) {
			b.source.add(p, fmt.Sprint("k", p), 1)
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		if err := b.flusher.Flush(ctx); err != nil {
			t.Fatalf("it never got through: %v", err)
		}
		for p := range uint32(8) {
			b.verdict(p, flush.Committed)
		}
		b.stop()
		if b.hooks.statements != 1+2+4 || b.hooks.unknown != 0 {
			t.Errorf("%+v", b.hooks)
		}
	})
}

// The same with a real server, whose administrator bounds statements for everybody.
func TestPostgres_FlushesInPiecesUnderAStatementTimeout_R12(t *testing.T) {
	b := newBroken(t, server)
	id := member(t, b.direct, 0, 1, 2, 3, 4, 5, 6, 7)
	b.query(t, "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.05); return new; end'")
	b.query(t, "create trigger slow before insert on counters for each row execute function slow()")
	b.query(t, "alter database "+b.query(t, "select current_database()")+" set statement_timeout = '500ms'")
	l := startFlusher(t, b.open(t), id) // sessions that know the limit
	for p := range uint32(partitions) {
		for k := range 3 {
			key := fmt.Sprintf("load:%d:%d", p, k)
			l.source.add(p, key, 1)
			l.want[key] = 1
		}
	}
	l.check(b.fixture)
	if l.hooks.retried == 0 {
		t.Error("no statement took too long")
	}
}
