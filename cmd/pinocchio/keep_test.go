package main

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// A key that was kept for less than its client may wait and try again would count twice.
func TestServe_KeepsIdempotencyKeysForAsLongAsItIsTold(t *testing.T) {
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	_, base := serve(t, "n1", pg.URL(database), "--keep-ids", "90m", "--durability", "database")
	for range 2 {
		got, _ := status(t, http.MethodPost, base+"/api/v1/increment", `{"key":"k","value":3}`, "", "Idempotency-Key: order-7")
		if got != http.StatusAccepted {
			t.Errorf("status %d", got)
		}
	}
	value(t, base, "k", 3)
	if got := pg.Query(t, database, "select count(*) || ' for ' || max(expires_at - created_at) from idempotency_keys"); got != "1 for 01:30:00" {
		t.Errorf("the database has %s", got)
	}
	code, _, says := once(t, "config", "--store", "sqlite:"+fileIn(t, "c.db"), "--keep-ids", "14s", "--store-timeout", "7s")
	if want := "idempotency keys is 14s, must be between 15s and"; code != exitFailed || !strings.Contains(says, want) {
		t.Errorf("status %d: %s", code, says)
	}
}

func TestSettings_HoldHowLongTheLedgerRemembers(t *testing.T) {
	s := settings{Retention: 48 * time.Hour}
	if got := s.config(slog.New(slog.DiscardHandler)).Retention; got != 48*time.Hour {
		t.Errorf("%v", got)
	}
}
