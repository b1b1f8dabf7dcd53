package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// patience is how long a test waits for what must happen; most of it happens within a fraction.
const patience = 30 * time.Second

// buffer takes what a command writes while a test reads it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a command under way in this process.
type running struct {
	t        *testing.T
	out, err buffer
	stop     context.CancelFunc // as the first signal does
	status   int
	done     chan struct{} // closed when status is set
}

// begin runs a command line until the test ends.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.status = run(ctx, args, streams{&r.out, &r.err}, func(int) {})
	}()
	t.Cleanup(func() {
		r.end()
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(args, " "), &r.out, &r.err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// end stops the command and returns its exit status.
func (r *running) end() int {
	r.stop()
	<-r.done
	return r.status
}

// says waits until the pattern stands in what the command wrote, and returns what its groups match.
func (r *running) says(where *buffer, pattern string) []string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; {
		if found := re.FindStringSubmatch(where.String()); found != nil {
			return found[1:]
		}
		select {
		case <-r.done:
			r.t.Fatalf("it ended with status %d and did not say %s", r.status, pattern)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("it did not say %s", pattern)
		}
	}
}

// call makes a request and returns the answer.
func call(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// increment adds 3 to the key.
func increment(t *testing.T, base, key string) {
	t.Helper()
	status, answer := call(t, http.MethodPost, base+"/api/v1/increment", fmt.Sprintf(`{"key": %q, "value": 3}`, key))
	if status != http.StatusAccepted || answer != "" {
		t.Errorf("%s: %d %s", base, status, answer)
	}
}

// value reads the key's total.
func value(t *testing.T, base, key string, want int) {
	t.Helper()
	status, answer := call(t, http.MethodGet, base+"/api/v1/increment/"+key, "")
	// As its text says: a busy machine may need longer than an answer waits for a partition that is moving.
	for limit := time.Now().Add(20 * time.Second); status == http.StatusServiceUnavailable && time.Now().Before(limit); {
		status, answer = call(t, http.MethodGet, base+"/api/v1/increment/"+key, "")
	}
	if wanted := fmt.Sprintf(`{"data":{"value":%d}}`, want); status != http.StatusOK || strings.TrimSpace(answer) != wanted {
		t.Errorf("%s: %d %s, want %s", base, status, answer, wanted)
	}
}

// serve runs one node and returns it, ready, with its URL.
func serve(t *testing.T, name, store string, more ...string) (r *running, base string) {
	t.Helper()
	args := []string{
		"serve", "--name", name, "--store", store, "--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0",
		"--flush-interval", "20ms", "--lease-ttl", "3s", "--drain-delay", "10ms",
	}
	args = append(args, "--data", t.TempDir())
	r = begin(t, append(args, more...)...)
	base = "http://" + r.says(&r.err, `msg=joined .* http=(\S+)`)[0]
	r.says(&r.err, `msg=readiness .*ready=true`)
	return r, base
}

func TestServe_CountsDrainsWhenStoppedAndStillHasItsTotals(t *testing.T) {
	store := "sqlite:" + fileIn(t, "counters.db")
	r, base := serve(t, "n1", store)
	for range 4 {
		increment(t, base, "page:1")
	}
	value(t, base, "page:1", 12)
	if status := r.end(); status != exitOK {
		t.Errorf("stopped with status %d", status)
	}
	again, base := serve(t, "n1", store)
	value(t, base, "page:1", 12)
	if status := again.end(); status != exitOK {
		t.Errorf("stopped again with status %d", status)
	}
}

// endItself waits for a command that ends without being stopped.
func (r *running) endItself() int {
	<-r.done
	return r.status
}

// Two nodes with a secret on one Postgres find each other without a seed.
func TestServe_JoinsTheOthersThroughTheStore(t *testing.T) {
	pg := pgtest.Start(t)
	store := pg.URL(pg.NewDatabase(t))
	secret := fileIn(t, "secret")
	if err := os.WriteFile(secret, []byte("a secret of at least sixteen bytes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, one := serve(t, "n1", store, "--secret-file", secret, "--durability", "database")
	second, two := serve(t, "n2", store, "--secret-file", secret, "--log-format", "text")
	second.says(&second.err, `msg="member joined" .*name=n1`)
	for n := range 10 {
		key := fmt.Sprint("k", n)
		increment(t, one, key)
		increment(t, two, key)
		value(t, one, key, 6)
		value(t, two, key, 6)
	}
	if status := first.end(); status != exitOK {
		t.Errorf("n1 stopped with status %d", status)
	}
	value(t, two, "k1", 6)
	if status := second.end(); status != exitOK {
		t.Errorf("n2 stopped with status %d", status)
	}
	if got := pg.Query(t, "test1", "select sum(value) from counters"); got != "60" {
		t.Errorf("the table adds up to %s", got)
	}
}

func TestServe_SaysInOneLineWhyItCannotStart(t *testing.T) {
	empty := fileIn(t, "empty")
	if err := os.WriteFile(empty, []byte(" \n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, base := serve(t, "taken", "sqlite:"+fileIn(t, "other.db"))
	store := "sqlite:" + fileIn(t, "counters.db")
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", exitUsage, "--store"},
		{"--store mysql://x", exitFailed, "postgres://"},
		{"--store " + store + " --secret-file " + empty, exitFailed, "holds no secret"},
		{"--store " + store + " --secret-file /does/not/exist", exitUsage, "/does/not/exist"},
		{"--store " + store + " --partitions 0", exitFailed, "partitions must be"},
		{"--store " + store + " --flush-interval 1h --lease-ttl 1ms", exitFailed, "the lease is 1ms"},
		{"--store " + store + " --flush-interval 1h --lease-ttl 1ms", exitFailed, "the flush interval is 1h0m0s"},
		{"--store " + store + " --http " + strings.TrimPrefix(base, "http://"), exitFailed, "choose another with --http"},
		{"--store " + store + " --durability paper", exitUsage, "--durability"},
		{"--store " + store + " --data= --durability disk", exitFailed, "set --data"},
	} {
		args := append([]string{"serve", "--data", t.TempDir(), "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0"}, strings.Fields(c.args)...)
		if !strings.Contains(c.args, "--http") {
			args = append(args, "--http", "127.0.0.1:0")
		}
		r := begin(t, args...)
		last := ""
		if r.endItself() == c.status {
			lines := strings.Split(strings.TrimSpace(r.err.String()), "\n")
			last = lines[len(lines)-1]
		}
		if !strings.HasPrefix(last, "pinocchio: ") || !strings.Contains(last, c.says) {
			t.Errorf("%s: status %d, %s", c.args, r.status, &r.err)
		}
	}
}

func TestServe_TellsClientsAnAddressThatTheyCanUseWhenItListensOnAll(t *testing.T) {
	store := "sqlite:" + fileIn(t, "counters.db")
	_, base := serve(t, "n1", store, "--http", ":0")
	host, _, err := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		t.Fatalf("others are told %s (%v)", base, err)
	}
	if got := outputOf(t, exitOK, "health", base); got != "ready\n" {
		t.Errorf("at that address: %q", got)
	}
	_, base = serve(t, "n2", store, "--http", ":0", "--advertise", "localhost")
	if !strings.HasPrefix(base, "http://localhost:") {
		t.Errorf("with an advertised host, others are told %s", base)
	}
}

func TestServe_IsNamedLikeItsHostUnlessTold(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for told, want := range map[string]string{"": host, "n1": "n1"} {
		if got, err := (&serveCmd{Name: told}).name(); err != nil || got != want {
			t.Errorf("told %q: %q, %v", told, got, err)
		}
	}
}

func TestReadSecrets_TakesOneALineAndRefusesWhatProtectsNothing(t *testing.T) {
	const one, two = "the first secret of the cluster", "the second secret of the cluster"
	least := strings.Repeat("x", minSecret)
	for _, c := range []struct {
		text string
		want []string
		err  string
	}{
		{one + "\n", []string{one}, ""},
		{"\n" + one + "\r\n\n  " + two, []string{one, two}, ""},
		{least, []string{least}, ""},
		{least[1:], nil, "has 15 bytes, must have at least 16"},
		{one + "\nshort\n", nil, "has 5 bytes"},
		{" \n\n", nil, "holds no secret"},
		{"", nil, "holds no secret"},
	} {
		path := fileIn(t, "secret")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		secrets, err := readSecrets(path, "")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "short\n") {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		var got []string
		for _, s := range secrets {
			got = append(got, string(s))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	if secrets, err := readSecrets("", ""); secrets != nil || err != nil {
		t.Errorf("without a file: %q, %v", secrets, err)
	}
	if _, err := readSecrets("/does/not/exist", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is missing: %v", err)
	}
}
