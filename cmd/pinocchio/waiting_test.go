package main

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// starting runs serve without waiting for the node to be ready.
func starting(t *testing.T, store string, more ...string) *running {
	t.Helper()
	return begin(t, append([]string{
		"serve", "--name", "n1", "--store", store, "--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0",
		"--flush-interval", "20ms", "--lease-ttl", "3s", "--drain-delay", "10ms", "--data", t.TempDir(),
	}, more...)...)
}

func TestServe_WaitsForADatabaseThatStartsLater(t *testing.T) {
	pg := pgtest.Start(t)
	store := pg.URL(pg.NewDatabase(t))
	pg.Kill9()
	r := starting(t, store)
	base := "http://" + r.says(&r.err, `msg="waiting for the database: this node is alive and not ready" .*http=(\S+) .*connection refused`)[0]
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{http.MethodGet, "/healthz", "", http.StatusOK, "ok"},
		{http.MethodGet, "/readyz", "", http.StatusServiceUnavailable, "not ready: the database cannot be reached"},
		{http.MethodPost, "/api/v1/increment", `{"key":"k","value":1}`, http.StatusServiceUnavailable, "send it again, or to another node"},
		{http.MethodPost, "/api/v1/increments", `[{"key":"k","value":1}]`, http.StatusOK, `"status":503`},
		{http.MethodGet, "/api/v1/increment/k", "", http.StatusServiceUnavailable, "send it again, or to another node"},
		{http.MethodGet, "/api/v1/counters/k", "", http.StatusServiceUnavailable, "send it again, or to another node"},
		{http.MethodGet, "/api/v1/counters", "", http.StatusServiceUnavailable, "send it again, or to another node"},
		{http.MethodGet, "/api/v1/cluster", "", http.StatusOK, `"n1"`},
		{http.MethodGet, "/api/v1/audit", "", http.StatusOK, `"n1"`},
		{http.MethodGet, "/metrics", "", http.StatusOK, "\npinocchio_store_up 0\n"},
	} {
		if status, answer := call(t, c.method, base+c.path, c.body); status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, answer)
		}
	}
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	r.says(&r.err, `msg="the database answers"`)
	if got := r.says(&r.err, `msg=joined .* http=(\S+)`)[0]; "http://"+got != base {
		t.Errorf("it joined as %s, and was %s", got, base)
	}
	r.says(&r.err, `msg=readiness .*ready=true`)
	increment(t, base, "k")
	value(t, base, "k", 3)
	if n := strings.Count(r.err.String(), "waiting for the database"); n != 1 {
		t.Errorf("it said %d times within seconds that it waits", n)
	}
	if status := r.end(); status != exitOK {
		t.Errorf("stopped with status %d", status)
	}
}

// nobody is the URL of a store at a port where nobody listens.
const nobody = "postgres://u:hunter2@127.0.0.1:1/x"

func TestServe_StopsWaitingWhenToldOrWhenItsTimeIsOver(t *testing.T) {
	for _, c := range []struct {
		args []string
		stop bool
		says string
	}{
		{nil, true, "stopped before the database could be opened"},
		{[]string{"--start-timeout", "300ms"}, false, "could not be reached within 300ms (--start-timeout)"},
	} {
		r := starting(t, nobody, c.args...)
		r.says(&r.err, `msg="waiting for the database`)
		if c.stop {
			r.stop()
		}
		status := r.endItself()
		lines := strings.Split(strings.TrimSpace(r.err.String()), "\n")
		last := lines[len(lines)-1]
		if status != exitFailed || !strings.HasPrefix(last, "pinocchio: ") || !strings.Contains(last, c.says) || !strings.Contains(last, "connection refused") {
			t.Errorf("%v: status %d, %s", c.args, status, last)
		}
		if strings.Contains(r.err.String(), "hunter2") {
			t.Errorf("the password is shown: %s", &r.err)
		}
	}
	if status, _, err := once(t, "serve", "--store", nobody, "--start-timeout=-1s"); status != exitFailed || !strings.Contains(err, "the start timeout is -1s") {
		t.Errorf("%d %s", status, err)
	}
}

// What waiting does not cure ends the start at once, and the last line says what to do.
func TestServe_SaysWhatToDoAboutADatabaseThatItCannotUse(t *testing.T) {
	pg := pgtest.Start(t)
	used := pg.NewDatabase(t)
	first, _ := serve(t, "first", pg.URL(used))
	first.end()
	later := pg.NewDatabase(t)
	pg.Query(t, later, "create table pinocchio_schema (version integer primary key, name text not null); insert into pinocchio_schema values (99, 'later')")
	closed := pg.NewDatabase(t)
	pg.Query(t, closed, "create role guest login; revoke create on schema public from public")
	for _, c := range []struct {
		store string
		args  []string
		says  []string
	}{
		{pg.URL("missing"), nil, []string{`database "missing" does not exist`, "createdb"}},
		{strings.Replace(pg.URL(used), "postgres@", "nobody:hunter2@", 1), nil, []string{`role "nobody" does not exist`, "check the user and the password"}},
		{strings.Replace(pg.URL(closed), "postgres@", "guest@", 1), nil, []string{"permission denied", "grant it create on the schema"}},
		{pg.URL(later), nil, []string{"schema version 99", "use a newer release"}},
		{pg.URL(used), []string{"--partitions", "31"}, []string{"the number of partitions is 31 here but 271 in the store", "--partitions), which are fixed"}},
		{pg.URL(used), []string{"--cluster-name", "other"}, []string{"the cluster's name is other here but pinocchio in the store", "start with those of the store"}},
		{"postgres://u:hunter2@h:port/x", nil, []string{"invalid port"}},
		{"sqlite:/proc/none/counters.db", nil, []string{"/proc/none", "--store"}},
	} {
		r := starting(t, c.store, c.args...)
		status := r.endItself()
		lines := strings.Split(strings.TrimSpace(r.err.String()), "\n")
		last := lines[len(lines)-1]
		for _, text := range c.says {
			if status != exitFailed || !strings.HasPrefix(last, "pinocchio: ") || !strings.Contains(last, text) {
				t.Errorf("%s: status %d, %q is missing in %s", c.store, status, text, last)
			}
		}
		if strings.Contains(r.err.String(), "hunter2") || strings.Contains(r.err.String(), "waiting for the database") {
			t.Errorf("%s: %s", c.store, &r.err)
		}
	}
}

// Ports and folders that are taken are named with the flag that chooses others.
func TestServe_NamesTheFlagForWhatIsTaken(t *testing.T) {
	folder := t.TempDir()
	first := starting(t, "sqlite:"+fileIn(t, "one.db"), "--data", folder)
	taken := first.says(&first.err, `msg=joined .* http=(\S+) peer=(\S+) gossip=(\S+)`)
	file := fileIn(t, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--http", taken[0]}, "choose another with --http"},
		{[]string{"--peer", taken[1]}, "choose another with --peer"},
		{[]string{"--gossip", taken[2]}, "choose another with --gossip"},
		{[]string{"--data", folder}, "give each node a data folder of its own"},
		{[]string{"--data", file}, "choose another folder with --data"},
	} {
		r := starting(t, "sqlite:"+fileIn(t, "two.db"), c.args...)
		status := r.endItself()
		if text := r.err.String(); status != exitFailed || !strings.Contains(text, "pinocchio: ") || !strings.Contains(text, c.says) {
			t.Errorf("%v: status %d, %s", c.args, status, text)
		}
	}
}
