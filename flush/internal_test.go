package flush

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"
	"pgregory.net/rapid"
)

func TestClassifyPostgres_SaysUnknownUnlessTheServerRolledBack(t *testing.T) {
	answer := func(severity, code string) error {
		return &pgconn.PgError{Severity: "ERREUR", SeverityUnlocalized: severity, Code: code}
	}
	const data, retry, unknown = "data", "retry", "unknown"
	for _, c := range []struct {
		err  error
		want string
	}{
		{answer("ERROR", "22003"), data},
		{answer("ERROR", "22021"), data},
		{answer("ERROR", "23514"), data},
		{answer("ERROR", "44000"), data},
		{answer("ERROR", "P0001"), data},
		{answer("ERROR", "27000"), data},
		{answer("ERROR", "54000"), data},
		{answer("ERROR", "U0001"), data}, // a trigger's own
		{answer("ERROR", "54001"), retry},
		{answer("ERROR", "40001"), retry},
		{answer("ERROR", "40P01"), retry},
		{answer("ERROR", "53100"), retry},
		{answer("ERROR", "57014"), retry},
		{answer("ERROR", "25006"), retry},
		{answer("ERROR", "42P01"), retry},
		{answer("ERROR", "XX000"), retry},
		{answer("ERROR", ""), retry},
		{answer("FATAL", "57P01"), unknown}, // may come after the commit
		{answer("PANIC", "58030"), unknown},
		{answer("FATAL", "22003"), unknown},
		{&pgconn.PgError{Severity: "ERROR", Code: "22003"}, data}, // an old pooler does not send the other field
		{io.ErrUnexpectedEOF, unknown},
		{context.DeadlineExceeded, unknown},
		{safe{io.EOF}, retry},
	} {
		got := unknown
		var refused *DataError
		var nothing *RetryError
		err := classifyPostgres(c.err)
		if errors.As(err, &refused) {
			got = data
		} else if errors.As(err, &nothing) {
			got = retry
		}
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%v is %s (%v), want %s", c.err, got, err, c.want)
		}
	}
	if err := classifyPostgres(nil); err != nil {
		t.Error(err)
	}
	if err := classifyPostgres(pgx.ErrNoRows); !errors.Is(err, pgx.ErrNoRows) {
		t.Error(err)
	}
}

func TestSQLState_NamesWhatSpeaksOfTheData(t *testing.T) {
	for code, want := range map[int]string{
		sqlite3.SQLITE_CONSTRAINT_DATATYPE:   "22003",
		sqlite3.SQLITE_CONSTRAINT_NOTNULL:    "23502",
		sqlite3.SQLITE_CONSTRAINT_UNIQUE:     "23505",
		sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
		sqlite3.SQLITE_CONSTRAINT_CHECK:      "23514",
		sqlite3.SQLITE_CONSTRAINT_TRIGGER:    "P0001",
		sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "23000",
		sqlite3.SQLITE_MISMATCH:              "22018",
		sqlite3.SQLITE_TOOBIG:                "54000",
		sqlite3.SQLITE_BUSY:                  "",
		sqlite3.SQLITE_FULL:                  "",
		sqlite3.SQLITE_IOERR_FSYNC:           "",
	} {
		if got := sqlstate(code); got != want {
			t.Errorf("code %d: got %q, want %q", code, got, want)
		}
	}
}

// safe is an error of which the driver says that nothing was sent.
type safe struct{ error }

func (safe) SafeToRetry() bool { return true }
func (s safe) Unwrap() error   { return s.error }

func TestPastPrefix_IsTheLeastStringAboveAllWithThePrefix(t *testing.T) {
	for prefix, want := range map[string]string{
		"a": "b", "az": "a{", "a\u007f": "a\u0080", "é": "ê", "\ud7ff": "\ue000", "\U0010FFFF": "", "": "",
		"a\U0010FFFF": "b", "\ud7ff\U0010FFFF\U0010FFFF": "\ue000", "%": "&", "_": "`",
	} {
		got, ok := pastPrefix(prefix)
		if got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", prefix, got, ok, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		prefix, s := rapid.String().Draw(t, "prefix"), rapid.String().Draw(t, "s")
		if rapid.Bool().Draw(t, "with prefix") {
			s = prefix + s
		}
		past, ok := pastPrefix(prefix)
		if inside := s >= prefix && (!ok || s < past); inside != strings.HasPrefix(s, prefix) {
			t.Fatalf("%q has prefix %q: %v; between it and %q: %v", s, prefix, !inside, past, inside)
		}
		if ok && !isText(past) && isText(prefix) {
			t.Fatalf("%q is not text", past)
		}
	})
}

func TestOnlyText_DropsWhatNoDatabaseHolds(t *testing.T) {
	all := []string{"a", "é"}
	if got := onlyText(all); &got[0] != &all[0] {
		t.Error("copied without need")
	}
	if got := onlyText([]string{"a", "\x00", "b", "\xff", "c"}); strings.Join(got, "") != "abc" {
		t.Errorf("%q", got)
	}
}

func TestWithParameter_AddsOnlyWhatTheURLLacks(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://h/d":                    "postgres://h/d?x=1",
		"postgres://h1:1,h2:2/d?y=2":        "postgres://h1:1,h2:2/d?y=2&x=1",
		"postgres://h/d?y=2&x=9":            "postgres://h/d?y=2&x=9",
		"postgres://h/d?application_name=x": "postgres://h/d?application_name=x&x=1",
	} {
		if got := withParameter(url, "x", "1"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMigrations_AreNumberedWithoutGaps(t *testing.T) {
	for _, dialect := range []string{"postgres", "sqlite"} {
		steps, err := migrations(dialect)
		if err != nil || len(steps) == 0 || steps[0].name == "" || steps[0].sql == "" {
			t.Errorf("%s: %v, %v", dialect, steps, err)
		}
	}
	var newer *SchemaError
	if _, err := missing(nil, 1); !errors.As(err, &newer) || newer.Known != 0 {
		t.Errorf("got %v", err)
	}
}

func TestBackoff_DoublesUpToItsBoundWithJitter(t *testing.T) {
	f := NewFlusher(nil, [16]byte{}, nil, FlusherOptions{MinBackoff: 10 * time.Millisecond, MaxBackoff: time.Second})
	for failures := 1; failures < 200; failures++ {
		most := time.Second
		if failures < 8 {
			most = 10 * time.Millisecond << (failures - 1)
		}
		if d := f.backoff(failures); d < most/2 || d > most {
			t.Fatalf("after %d failures: %v, want between %v and %v", failures, d, most/2, most)
		}
	}
}

func TestFlusherOptions_TakeDefaultsForWhatIsZero(t *testing.T) {
	o := FlusherOptions{MinBackoff: 3 * time.Second}.withDefaults()
	if o.Interval != time.Second || o.MaxKeys != 20_000 || o.Concurrency != 2 || o.MaxBackoff != 3*time.Second || o.Logger == nil {
		t.Errorf("%+v", o)
	}
}

// The rows of a batch move together or not at all: one at its end, and another one not, is no proof of anything.
func TestFlusher_TakesABatchForAppliedOnlyWhenAllItsRowsStandAtTheirEnds_R3(t *testing.T) {
	one, two := uuid.UUID{1}, uuid.UUID{2}
	b := Batch{Partition: 1, Epoch: 1, Moves: []Move{{Origin: one, From: 0, To: 5}, {Origin: two, From: 3, To: 4}}}
	for at, want := range map[[2]uint64]Verdict{
		{5, 4}: Committed, {5, 2}: Conflict, {1, 4}: Conflict, {5, 9}: Conflict,
	} {
		s := index(&Result{Ledger: []Mismatch{{Partition: 1, Origin: one, Number: at[0]}, {Partition: 1, Origin: two, Number: at[1]}}})
		if o, ok := s.resolve(&b); !ok || o.Verdict != want {
			t.Errorf("rows at %v: verdict %d, %v, want %d", at, o.Verdict, ok, want)
		}
	}
}
