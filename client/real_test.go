package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// answersLost passes requests on, and throws away each answer of one node. When the last of them has been counted, it kills
// the node; only then the senders learn that their connections broke.
type answersLost struct {
	*http.Transport
	t       *testing.T
	victim  *process
	counted sync.WaitGroup // answers to come
	dead    chan struct{}
}

func (l *answersLost) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-l.dead:
		return l.Transport.RoundTrip(r)
	default:
	}
	resp, err := l.Transport.RoundTrip(r)
	if err != nil || "http://"+r.URL.Host != l.victim.base {
		l.t.Errorf("before the kill, %s: %v", r.URL, err)
		return resp, err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		l.t.Errorf("%s before the kill", resp.Status)
	}
	l.counted.Done()
	<-l.dead
	return nil, io.ErrUnexpectedEOF
}

// Each increment is counted by a node that is then killed without having answered, and sent again to the others: while the
// first one's copy waits in the dead node's log, and again when that node is back and sends it. It counts once.
func TestIncrement_CountsOnceWhenTheNodeThatCountedItIsKilledBeforeItAnswers(t *testing.T) {
	t.Parallel()
	const keys = 40
	c := startCluster(t, 3)
	victim := c.nodes[0]
	lost := &answersLost{Transport: &http.Transport{MaxIdleConnsPerHost: keys}, t: t, victim: victim, dead: make(chan struct{})}
	defer lost.CloseIdleConnections()
	lost.counted.Add(keys)
	cl, err := client.New(client.Options{
		Nodes: c.bases(), HTTP: &http.Client{Transport: lost}, Timeout: patience, Retries: 1000, Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	outcomes := make([]client.Added, keys)
	var all sync.WaitGroup
	for k := range keys {
		key, delta := fmt.Sprintf("order:%d", k), int64(k+1)
		want[key] = delta
		all.Go(func() {
			var err error
			if outcomes[k], err = cl.Increment(t.Context(), key, delta, client.Idempotent()); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		})
	}
	lost.counted.Wait()
	victim.kill()
	close(lost.dead)
	all.Wait()
	replayed := 0
	for _, o := range outcomes {
		if o.Replayed {
			replayed++
		}
	}
	if replayed == 0 {
		t.Error("no repeat met its first: the test does not show what it should")
	}
	t.Logf("%d of %d repeats met their first at once", replayed, keys)
	victim.start(t)
	c.exact(want)
}

// A writer goes on through the kill and the return of the node that it writes to, and loses and doubles nothing.
func TestWriter_LosesNothingWhenItsNodeIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	const adders, each, keys = 4, 1000, 7
	c := startCluster(t, 3)
	victim := c.nodes[0]
	cl, err := client.New(client.Options{Nodes: c.bases(), Retries: 1000, Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	w := cl.NewWriter(client.WriterOptions{MaxBatch: 50, MaxPending: 200, MaxDelay: time.Millisecond})
	kill := sync.OnceFunc(victim.kill)
	var all sync.WaitGroup
	for range adders {
		all.Go(func() {
			for k := range each {
				if k == each/2 { // all before it but MaxPending have their answers, the rest is under way
					kill()
				}
				if err := w.Add(t.Context(), fmt.Sprintf("page:%d", k%keys), 2); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := w.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	victim.start(t)
	add(t, w, "after", 100)
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	want := map[string]int64{"after": 100}
	for k := range each {
		want[fmt.Sprintf("page:%d", k%keys)] += 2 * adders
	}
	c.exact(want)
}

// A database that does not answer fills the node, the node fills the writer, and the writer makes its caller wait; when the
// database answers again, everything that was taken is counted.
func TestWriter_PressesBackFromTheDatabaseToTheCallerAndLosesNothing(t *testing.T) {
	t.Parallel()
	const atNode, atWriter, total = 1000, 100, 3000
	postgres := pgtest.Start(t)
	database := postgres.NewDatabase(t)
	proxy := pgtest.StartProxy(t, postgres.Addr())
	var log bytes.Buffer
	s, err := startServer(nodeSettings{
		Name: "n1", Cluster: "pressed", Store: pgtest.URL(proxy.Addr(), database), Data: t.TempDir(), HTTP: "127.0.0.1:0",
		LeaseTTL: time.Minute, MaxPending: atNode,
	}, &log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.end(); err != nil {
			t.Errorf("%v\n%s", err, log.String())
		}
	}()
	cl, err := client.New(client.Options{Nodes: []string{s.base}, Retries: 100_000, Backoff: 5 * time.Millisecond, MaxBackoff: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	// Without idempotency keys: with them a node asks the database before it counts, and nothing would fill it.
	w := cl.NewWriter(client.WriterOptions{MaxBatch: 50, MaxPending: atWriter, MaxDelay: time.Millisecond, NoIDs: true})
	proxy.Stall(true)
	defer proxy.Stall(false)
	var taken atomic.Int64
	var adder sync.WaitGroup
	adder.Go(func() {
		for k := range int64(total) {
			if err := w.Add(t.Context(), fmt.Sprint("k", k), k); err != nil { // a node merges what has the same key
				t.Error(err)
				return
			}
			taken.Add(1)
		}
	})
	await(t, "the node refuses", func() bool { return refusals(t, cl) > 0 })
	// A node looks whether it is full once for each increment; what a batch brought at that moment may go over.
	if n := taken.Load(); n < atNode || n > atNode+2*atWriter {
		t.Errorf("%d were taken before the caller had to wait; the node holds %d and the writer %d", n, atNode, atWriter)
	}
	proxy.Stall(false)
	adder.Wait()
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.end(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	rows := postgres.Query(t, database, "select count(*), sum(value) from counters")
	if want := fmt.Sprintf("%d|%d", total, total*(total-1)/2); rows != want {
		t.Errorf("the table has %s (keys|sum), want %s", rows, want)
	}
}

// refusals is how many increments the client's node refused because it was full.
func refusals(t *testing.T, cl *client.Client) (n int) {
	t.Helper()
	page, err := cl.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if rest, ok := strings.CutPrefix(line, `pinocchio_increments_total{result="overloaded"} `); ok {
			if n, err = strconv.Atoi(strings.TrimSpace(rest)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}

// What a writer reports as refused is not counted, and everything else is: at a real node, with keys that it must refuse.
func TestWriter_ReportsExactlyWhatARealNodeRefused(t *testing.T) {
	t.Parallel()
	s, err := startServer(sqliteNode(t.TempDir()), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	}()
	cl := connect(t, s.base)
	refused := 0
	w := cl.NewWriter(client.WriterOptions{MaxBatch: 10, OnError: func(client.Increment, error) { refused++ }})
	long := strings.Repeat("x", 513)
	for range 25 {
		add(t, w, "good", 1)
		add(t, w, long, 1)
	}
	var write *client.WriteError
	if err := w.Close(t.Context()); !errors.As(err, &write) || write.Failed != 25 || write.Unknown != 0 || refused != 25 {
		t.Errorf("%v, and %d reported; want 25 refused", err, refused)
	}
	if got, err := cl.Get(t.Context(), "good"); err != nil || got.Value != 25 {
		t.Errorf("total %d (%v), want 25", got.Value, err)
	}
}

// sqliteNode are the settings of a node that needs nothing but a folder.
func sqliteNode(folder string) nodeSettings {
	return nodeSettings{
		Name: "n1", Cluster: "client", Store: "sqlite:" + folder + "/counters.db", Data: folder + "/log", HTTP: "127.0.0.1:0",
		LeaseTTL: 10 * time.Second,
	}
}
