package main

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// outputOf runs a command to its end and returns its output.
func outputOf(t *testing.T, status int, args ...string) string {
	t.Helper()
	r := begin(t, args...)
	if got := r.endItself(); got != status {
		t.Fatalf("%s: status %d, want %d: %s", strings.Join(args, " "), got, status, &r.err)
	}
	return r.out.String() + r.err.String()
}

func TestAsking_CountsReadsAndShowsARealNode(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	server := []string{"--server", "127.0.0.1:1", "--server", base} // nobody listens at the first
	for _, c := range []struct{ want, args string }{
		{"3\n", "incr page:1 3"},
		{"4\n", "incr page:1"},
		{"2\n", "incr page:1 -- -2"},
		{"2\n", "get page:1"},
		{"0\n", "get never"},
		{`{"key":"page:1","value":3,"later":false}` + "\n", "incr --json page:1"},
	} {
		words := strings.Fields(c.args)
		args := append(append([]string{words[0]}, server...), words[1:]...)
		if got := outputOf(t, exitOK, args...); got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
	text := outputOf(t, exitOK, append([]string{"cluster"}, server...)...)
	for _, want := range []string{"cluster pinocchio: 271 partitions, 0 unowned", "store reachable", "n1", "alive", strings.TrimPrefix(base, "http://")} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	var cluster client.Cluster
	if err := json.Unmarshal([]byte(outputOf(t, exitOK, append([]string{"cluster", "--json"}, server...)...)), &cluster); err != nil || len(cluster.Members) != 1 || cluster.Members[0].Wanted != 271 {
		t.Errorf("%+v (%v)", cluster, err)
	}
	if got := outputOf(t, exitFailed, append(append([]string{"get"}, server...), strings.Repeat("k", 600))...); !strings.Contains(got, "422") {
		t.Errorf("a key that is too long: %s", got)
	}
}

func TestAsking_SaysWhatToTry(t *testing.T) {
	if got := outputOf(t, exitFailed, "get", "k", "--server", "127.0.0.1:1"); !strings.Contains(got, "--server") || strings.Count(got, "\n") != 1 {
		t.Errorf("nobody there: %q", got)
	}
	if got := outputOf(t, exitFailed, "get", "k", "--server", "ftp://x"); !strings.Contains(got, "http://host:port") {
		t.Errorf("no address: %q", got)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{client.ErrUnknownOutcome, "--idempotency-key"},
		{&client.Error{Status: 401}, "PINOCCHIO_TOKEN"},
	} {
		if got := advise(c.err); !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v does not say %s", got, c.want)
		}
	}
}

// A server that takes connections and never answers, as one that is paused does, must not use up the whole command's time.
func TestAsking_AsksTheNextServerWhenTheFirstHangs(t *testing.T) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"key":"k","value":7}}`)
	}))
	defer good.Close()
	if got := outputOf(t, exitOK, "get", "k", "--server", hanging.URL, "--server", good.URL, "--timeout", "2s"); got != "7\n" {
		t.Errorf("%q, want 7", got)
	}
}

// With --ca, too, connections end with the command, and a token goes nowhere else.
func TestAsking_ClosesConnectionsAndFollowsNoRedirectWithAnAuthorityOfItsOwn(t *testing.T) {
	closed, elsewhere := make(chan struct{}), false
	node := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere = true
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	node.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	node.StartTLS()
	defer node.Close()
	ca := fileIn(t, "ca.pem")
	page := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: node.Certificate().Raw})
	if err := os.WriteFile(ca, page, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := outputOf(t, exitFailed, "get", "k", "--server", node.URL, "--ca", ca); !strings.Contains(got, "307") || elsewhere {
		t.Errorf("%q, elsewhere %v", got, elsewhere)
	}
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Error("its connection is still open")
	}
}

func TestCompletion_CompletesInBashAndKnowsEveryCommand(t *testing.T) {
	script := outputOf(t, exitOK, "completion", "bash")
	complete := func(words ...string) string {
		program := script + "\nCOMP_WORDS=(" + strings.Join(words, " ") + `)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pinocchio; echo "${COMPREPLY[*]}"`
		out, err := exec.CommandContext(t.Context(), "bash", "-c", program).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ want, line string }{
		{"incr", "pinocchio inc"},
		{"strategies", "pinocchio bench str"},
		{"--increments", "pinocchio bench strategies --inc"},
		{"--connections", "pinocchio bench --conn"},
		{"--idempotency-key", "pinocchio incr key --idem"},
		{"fish", "pinocchio completion f"},
	} {
		if got := complete(strings.Fields(c.line)...); got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
	zsh, fish := outputOf(t, exitOK, "completion", "zsh"), outputOf(t, exitOK, "completion", "fish")
	for _, name := range []string{"serve", "get", "incr", "cluster", "bench", "strategies"} {
		if !strings.Contains(fish, "-a "+name+"\n") || !strings.Contains(zsh, name) {
			t.Errorf("%s is missing", name)
		}
	}
}
