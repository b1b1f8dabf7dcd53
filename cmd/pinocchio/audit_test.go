package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
	"github.com/pinocchio-nose/pinocchio/node"
)

// auditOf runs the command on the nodes and returns its status with what it printed.
func auditOf(t *testing.T, store string, bases []string, more ...string) (status int, text string) {
	t.Helper()
	args := []string{"audit", "--store", store}
	for _, base := range bases {
		args = append(args, "--server", base)
	}
	r := begin(t, append(args, more...)...)
	status = r.endItself()
	return status, r.out.String() + r.err.String()
}

func TestAudit_AddsUpUntilSomebodyElseWritesToTheTables(t *testing.T) {
	pg := pgtest.Start(t)
	database := pg.NewDatabase(t)
	store := pg.URL(database)
	_, one := serve(t, "n1", store)
	_, two := serve(t, "n2", store)
	for n := range 10 {
		increment(t, one, fmt.Sprint("k", n))
		increment(t, two, fmt.Sprint("k", n))
	}
	bases := []string{one, strings.TrimPrefix(two, "http://"), two} // the second one twice
	adds := func() {
		t.Helper()
		limit := time.Now().Add(patience)
		for { // it adds up also while some of it is pending; what follows wants all of it in the tables
			status, text := auditOf(t, store, bases, "--wait", patience.String(), "--exact")
			if status != exitOK {
				t.Fatalf("status %d\n%s", status, text)
			}
			if strings.Contains(text, "ledger 60 (difference 0): adds up") {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("not all is in the tables\n%s", text)
			}
		}
	}
	adds()
	status, text := auditOf(t, store, bases, "--wait", patience.String(), "--json")
	var a audit
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != exitOK {
		t.Fatalf("status %d: %v\n%s", status, err, text)
	}
	if a.Verdict != addsUp || len(a.Processes) != 2 || a.All.Increments != 20 || a.All.Accepted != a.All.Persisted || a.All.Difference() != 0 || a.Values.Counters.Int64() != 60 {
		t.Errorf("%s", text)
	}
	const row = " where (partition, origin) = (select partition, origin from ledger order by 1, 2 limit 1)"
	for _, c := range []struct{ change, back, says string }{
		{"update counters set value = value + 1", "update counters set value = value - 1", "the counters hold 10 more than the ledger"},
		{"update counters set value = value - 1 where key = 'k1'", "update counters set value = value + 1 where key = 'k1'", "hold 1 less"},
		{"update ledger set number = number + 2" + row, "update ledger set number = number - 2" + row, "the ledger has 2 operations that it never made"},
		{"update ledger set sum = sum + 5" + row, "update ledger set sum = sum - 5" + row, "hold 5 less"},
	} {
		pg.Query(t, database, c.change)
		status, text := auditOf(t, store, bases, "--wait", "1ms")
		if status != exitFailed || !strings.Contains(text, "pinocchio: it does not add up") || !strings.Contains(text, c.says) {
			t.Errorf("%s: status %d\n%s", c.change, status, text)
		}
		pg.Query(t, database, c.back)
		adds()
	}
}

func TestAudit_ShowsAProcessThatVanished(t *testing.T) {
	pg := pgtest.Start(t)
	store := pg.URL(pg.NewDatabase(t))
	_, one := serve(t, "n1", store)
	base, kill := process(t, "n2", store)
	for range 3 {
		if status, answer := call(t, http.MethodPost, base+"/api/v1/increment", `{"key": "k", "value": 7}`); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if status, text := auditOf(t, store, []string{one}, "--wait", "1ms"); status != exitFailed || !strings.Contains(text, "was not asked: name it with --server") {
		t.Errorf("status %d\n%s", status, text)
	}
	if status, text := auditOf(t, store, []string{one, base}, "--wait", patience.String(), "--exact"); status != exitOK {
		t.Errorf("status %d\n%s", status, text)
	}
	kill()
	status, text := auditOf(t, store, []string{one, base}, "--wait", patience.String(), "--json")
	var a audit
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != exitOK || len(a.Processes) != 2 {
		t.Fatalf("status %d: %v\n%s", status, err, text)
	}
	gone := a.Processes[1]
	if gone.Node != "n2" || gone.State != "vanished" || gone.Told || gone.Persisted != 3 || a.Vanished != 3 || len(a.Silent) != 1 ||
		!strings.Contains(strings.Join(gone.Notes, ""), "unknown whether it had accepted more") {
		t.Errorf("%s", text)
	}
}

// process runs a node in a process of its own, which answers when the database has what it counted.
func process(t *testing.T, name, store string) (base string, kill func()) {
	t.Helper()
	log := &running{t: t, done: make(chan struct{})}
	cmd := command(t, asMain, "serve", "--name", name, "--store", store, "--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0",
		"--flush-interval", "20ms", "--lease-ttl", "3s", "--durability", "database", "--data", t.TempDir())
	cmd.Stderr = &log.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(log.done)
		_ = cmd.Wait() // it is killed
	}()
	kill = func() {
		_ = cmd.Process.Kill() // it may have ended
		<-log.done
	}
	t.Cleanup(kill)
	base = "http://" + log.says(&log.err, `msg=joined .* http=(\S+)`)[0]
	log.says(&log.err, `msg=readiness .*ready=true`)
	return base, kill
}

func TestAudit_SaysWhatItCannotKnow(t *testing.T) {
	store := "sqlite:" + fileIn(t, "counters.db")
	_, base := serve(t, "n1", store)
	increment(t, base, "k")
	other := "sqlite:" + fileIn(t, "other.db")
	empty := fileIn(t, "empty.db")
	another, _ := serve(t, "n1", other)
	another.end()
	for _, c := range []struct {
		store, base, says string
		status            int
	}{
		{store, base + "/healthz", "no answer: ", exitFailed}, // the path is none
		{store, "127.0.0.1:1", "no answer: ", exitFailed},
		{"sqlite:" + empty, base, "start a node on it first", exitFailed},
		{other, base, "the store does not know this process", exitFailed},
		{"mysql://x", base, "--store: ", exitFailed},
		{store, base, "difference 0", exitOK},
	} {
		wait := "1ms"
		if c.status == exitOK {
			wait = patience.String()
		}
		if status, text := auditOf(t, c.store, []string{c.base}, "--wait", wait); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s at %s: status %d\n%s", c.base, c.store, status, text)
		}
	}
	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Errorf("the comparison made a store: %v", err)
	}
	if status, text := auditOf(t, store, []string{base}, "--cluster-name", "another"); status != exitFailed || !strings.Contains(text, "--store: ") {
		t.Errorf("status %d\n%s", status, text)
	}
}

// What a process counts while it is asked has bounds, and leaves no doubt outside of them.
func TestAudit_ComparesWithinBounds(t *testing.T) {
	id := uuid.New()
	type counting = node.AuditCounting
	at := func(given, persisted uint64) counting { return counting{Given: given, Persisted: persisted} }
	figures := func(c counting, lost uint64) told {
		return told{figures: node.AuditFigures{
			Cluster: "c", Node: "n", ID: id.String(), Increments: 100, Operations: c.Given, Pending: c.Given - c.Persisted, Lost: lost,
			Partitions: []counting{{}, c},
		}}
	}
	for _, c := range []struct {
		before, after counting
		ledger, lost  uint64
		want          finding
		says          string
	}{
		{at(10, 10), at(10, 10), 10, 0, addsUp, ""},
		{at(10, 7), at(10, 7), 7, 0, addsUp, ""},
		{at(10, 7), at(10, 7), 8, 0, moving, ""}, // it has not heard yet
		{at(10, 7), at(12, 9), 9, 0, moving, ""},
		{at(10, 7), at(12, 12), 12, 0, moving, ""},
		{at(10, 7), at(12, 12), 7, 0, moving, ""},
		{at(10, 7), at(12, 12), 13, 0, doesNot, "has 1 operations that it never made"},
		{at(10, 7), at(12, 12), 5, 0, doesNot, "lacks 2 operations"},
		{at(10, 7), at(12, 12), 5, 1, doesNot, "of which 1 are known"},
		{at(10, 10), at(10, 10), 8, 2, addsUp, ""},
		{at(101, 101), at(101, 101), 101, 0, doesNot, "101 operations for 100 increments"},
	} {
		rows := flush.Adoption{
			Ledger: []flush.LedgerRow{{Partition: 1, Origin: id, Number: c.ledger}},
			Nodes:  []flush.NodeState{{Node: flush.Node{ID: id, Name: "n"}, LeaseLeft: 1}},
		}
		before, after := figures(c.before, c.lost), figures(c.after, c.lost)
		p := newTables(rows, &flush.AuditReport{}).compare(&before, &after, "c")
		if p.Finding != c.want || !strings.Contains(strings.Join(p.Notes, ";"), c.says) {
			t.Errorf("%+v: %s %v", c, p.Finding, p.Notes)
		}
		if p.Finding == addsUp && p.Difference() != 0 {
			t.Errorf("%+v: difference %d", c, p.Difference())
		}
	}
}
