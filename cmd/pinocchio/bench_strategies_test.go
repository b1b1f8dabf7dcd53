package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/bench/strategies"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

func TestBenchStrategies_ComparesAllOnARealDatabaseAndChecksTheSum(t *testing.T) {
	pg := pgtest.Start(t)
	database, folder := pg.NewDatabase(t), t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	r := begin(t, "bench", "strategies", "--store", pg.URL(database), "--time", "100ms", "--warmup", "20ms", "--flush-interval", "10ms",
		"--parallel", "2", "--increments", "100000", "--plot", file("a.svg"), "--html", file("a.html"), "--json", file("a.json"))
	if status := r.endItself(); status != exitOK {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{"naive", "delete-returning", "upsert", "buffered", "the table says 200,000, exact"} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	text, err := os.ReadFile(file("a.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report strategies.Report
	if err := json.Unmarshal(text, &report); err != nil || len(report.Results) != 4 || report.Consistency.Got != 200_000 {
		t.Errorf("%s: %v", text, err)
	}
	for _, name := range []string{"a.svg", "a.html"} {
		if text, err := os.ReadFile(file(name)); err != nil || !strings.Contains(string(text), "</svg>") {
			t.Errorf("%s: %v, %s", name, err, text)
		}
	}
	if got := pg.Query(t, database, "select value from strategy_counters"); got != "200000" {
		t.Errorf("the table has %s", got)
	}
	if got := pg.Query(t, database, "select count(*) from pg_tables where schemaname = 'public'"); got != "2" {
		t.Errorf("%s tables, want the strategies' two", got)
	}
}

// A trigger that adds one to what it is given stands for whatever may be wrong with the sum.
func TestBenchStrategies_FailsWhenTheSumIsWrong(t *testing.T) {
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	args := []string{"bench", "strategies", "--store", pg.URL(database), "--time", "10ms", "--warmup", "0s", "--increments", "10"}
	if status := begin(t, args...).endItself(); status != exitOK {
		t.Fatalf("status %d", status)
	}
	pg.Query(t, database, `create function more() returns trigger language plpgsql as 'begin new.value = new.value + 1; return new; end'`)
	pg.Query(t, database, "create trigger more before insert on strategy_counters for each row execute function more()")
	r := begin(t, args...)
	if status := r.endItself(); status != exitFailed || !strings.Contains(r.err.String(), "must be 20") {
		t.Errorf("status %d", status)
	}
}

func TestBenchStrategies_NamesEveryFaultOfItsFlags(t *testing.T) {
	r := begin(t, "bench", "strategies", "--store", "postgres://x", "--time", "0s", "--parallel", "0", "--increments=-1", "--plot", "a.pdf")
	if status := r.endItself(); status != exitUsage {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"time", "parallel", "increments", "plot: \"a.pdf\" ends"} {
		if !strings.Contains(r.err.String(), want) {
			t.Errorf("%s does not name %s", &r.err, want)
		}
	}
	r = begin(t, "bench", "strategies", "--store", "postgres://x", "--html", "/does/not/exist")
	if status := r.endItself(); status != exitFailed || !strings.Contains(r.err.String(), "--html") {
		t.Errorf("status %d, %s", status, &r.err)
	}
}
