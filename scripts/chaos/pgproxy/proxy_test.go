package pgproxy

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

const insert = "insert into t values ($1) returning n"

// harness is a table with one column behind a proxy.
type harness struct {
	pg     *pgtest.Server
	db     string
	proxy  *Proxy
	sprung chan Trap
}

func newHarness(t *testing.T) *harness {
	h := &harness{pg: pgtest.Start(t), sprung: make(chan Trap, 100)}
	h.db = h.pg.NewDatabase(t)
	h.pg.Query(t, h.db, "create table t(n int)")
	var err error
	h.proxy, err = Listen("127.0.0.1:0", h.pg.Addr(), "insert into t", func(tr Trap) { h.sprung <- tr })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.proxy.Close() })
	return h
}

// insert adds a row through the proxy, on a connection of its own, and returns the answer's error.
func (h *harness) insert(t *testing.T, n int) error {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, pgtest.URL(h.proxy.Addr(), h.db))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Prepare(ctx, "flush", insert); err != nil {
		t.Fatal(err)
	}
	return c.QueryRow(ctx, "flush", n).Scan(new(int))
}

func TestProxy_DropsTheAnswerOfWhatHasCommitted(t *testing.T) {
	h := newHarness(t)
	if err := h.insert(t, 1); err != nil {
		t.Fatal(err)
	}
	h.proxy.Set(Trap{Drop: true})
	if err := h.insert(t, 2); err == nil {
		t.Error("the answer came through")
	}
	<-h.sprung
	if got := h.pg.Query(t, h.db, "select string_agg(n::text, ',' order by n) from t"); got != "1,2" {
		t.Errorf("rows %s", got)
	}
	if err := h.insert(t, 3); err != nil {
		t.Errorf("the trap sprung twice: %v", err)
	}
}

func TestProxy_CutsAtEachByte(t *testing.T) {
	h := newHarness(t)
	for bytes := range 40 { // of an answer of about 60
		h.proxy.Set(Trap{Answer: true, Bytes: bytes})
		if err := h.insert(t, bytes); err == nil {
			t.Fatalf("the answer came through, cut after %d bytes", bytes)
		}
		<-h.sprung
	}
	if got := h.pg.Query(t, h.db, "select count(*) from t"); got != "40" {
		t.Errorf("%s rows, though only answers were cut", got)
	}
	for bytes := range 20 { // of a request of about 40
		h.proxy.Set(Trap{Bytes: bytes})
		if err := h.insert(t, 100); err == nil {
			t.Fatalf("an answer to a request that was cut after %d bytes", bytes)
		}
		<-h.sprung
	}
	if got := h.pg.Query(t, h.db, "select count(*) from t"); got != "40" {
		t.Errorf("%s rows, though requests were cut", got)
	}
}

func TestProxy_DelaysBothDirections(t *testing.T) {
	h := newHarness(t)
	h.proxy.Delay(50 * time.Millisecond)
	began := time.Now()
	if err := h.insert(t, 1); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 200*time.Millisecond { // at least two rounds
		t.Errorf("took %v", took)
	}
}
