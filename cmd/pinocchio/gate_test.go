package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// status sends a request with a token and header lines "Name: value", and returns the status and the headers.
func status(t *testing.T, method, url, body, token string, headers ...string) (int, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Header
}

// settled waits until every node says that each has the partitions that it should have: what an owner knows of clients does not
// move with them.
func settled(t *testing.T, nodes []string) {
	t.Helper()
	// Other processes settle: there is nothing to wait on but their answers, asked again at a pace that leaves them the processor.
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		calm := true
		for _, base := range nodes {
			_, text := call(t, http.MethodGet, base+"/api/v1/cluster", "")
			var body struct {
				Data struct {
					Unowned int
					Members []struct{ Owned, Wanted int }
				}
			}
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				t.Fatal(err)
			}
			calm = calm && body.Data.Unowned == 0 && len(body.Data.Members) == len(nodes)
			for _, m := range body.Data.Members {
				calm = calm && m.Owned > 0 && m.Owned == m.Wanted
			}
		}
		if calm {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("partitions still move")
		}
	}
}

func TestDev_LimitsAClientOverAllNodes(t *testing.T) {
	r := begin(
		t, "dev", "--http", "127.0.0.1:0", "--data", t.TempDir(), "--drain-delay", "10ms", "--log-level", "warn",
		"--rate-limit", "2/1h", "--rate-timeout", "20s", "--trusted-proxy", "127.0.0.1", "--trusted-proxy", "::1")
	nodes := strings.Fields(r.says(&r.out, `(?s)3 nodes are ready:(.*)Totals are kept`)[0])
	settled(t, nodes)
	const body = `{"key":"page:1","value":3}`
	for i, want := range []int{202, 202, 429} {
		got, headers := status(t, http.MethodPost, nodes[i]+"/api/v1/increment", body, "", "X-Forwarded-For: 203.0.113.7")
		if got != want || (headers.Get("Retry-After") != "") != (want == 429) || headers.Get("RateLimit-Policy") != `"increments";q=2;w=3600` {
			t.Errorf("node %d: %d %v", i+1, got, headers)
		}
	}
	if got, _ := status(t, http.MethodPost, nodes[2]+"/api/v1/increment", body, "", "X-Forwarded-For: 203.0.113.8"); got != 202 {
		t.Errorf("another client: %d", got)
	}
	value(t, nodes[0], "page:1", 9)
}

func TestServe_RefusesATokenSoonAfterItWasTakenOutOfTheFile(t *testing.T) {
	file := fileIn(t, "tokens")
	made := func(args ...string) string {
		t.Helper()
		r := begin(t, append([]string{"token", "--file", file}, args...)...)
		if got := r.endItself(); got != exitOK {
			t.Fatalf("status %d", got)
		}
		return strings.TrimSpace(r.out.String())
	}
	stays, goes := made("stays"), made("goes", "--scopes", "read,write", "--prefix", "page:")
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--tokens-file", file, "--rate-by", "credential", "--rate-limit", "1000/s")
	post := func(key, token string) int {
		got, _ := status(t, http.MethodPost, base+"/api/v1/increment", `{"key":"`+key+`","value":1}`, token)
		return got
	}
	for _, c := range []struct {
		key, token string
		want       int
	}{{"page:1", goes, 202}, {"other", goes, 403}, {"other", stays, 202}, {"page:1", "", 401}, {"page:1", goes + "x", 401}} {
		if got := post(c.key, c.token); got != c.want {
			t.Errorf("%s: %d, want %d", c.key, got, c.want)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(file, []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for post("page:1", goes) != 401 {
		if time.Since(began) > patience {
			t.Fatal("it is still accepted")
		}
		time.Sleep(20 * time.Millisecond) // until the file has been read again, which only the answers show
	}
	r.says(&r.err, `msg="credentials were read again"`)
	if got := post("other", stays); got != 202 {
		t.Errorf("the other one: %d", got)
	}
	for _, token := range []string{stays, goes} {
		if strings.Contains(r.err.String(), token) {
			t.Error("a token stands in the log")
		}
	}
}

func TestToken_PrintsATokenAndItsLine(t *testing.T) {
	r := begin(t, "token", "web", "--scopes", "read", "--prefix", "a,b", "--prefix", "c d")
	if got := r.endItself(); got != exitOK {
		t.Fatalf("status %d", got)
	}
	r.says(&r.out, `^token: pin_\S{43}\nline:  sha256:[0-9a-f]{64} web scopes=read prefix=a%2Cb prefix=c%20d\n$`)
	for _, args := range [][]string{{"two words"}, {"web", "--scopes", "everything"}, {"web", "--prefix", ""}} {
		if r := begin(t, append([]string{"token"}, args...)...); r.endItself() == exitOK {
			t.Errorf("%q: %s", args, &r.out)
		}
	}
}

func TestServe_NamesEveryFaultOfItsGate(t *testing.T) {
	file := fileIn(t, "tokens")
	if err := os.WriteFile(file, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := begin(t, "serve", "--store", "sqlite:"+fileIn(t, "c.db"), "--tokens-file", file, "--rate-limit", "many", "--trusted-proxy", "everybody")
	if got := r.endItself(); got != exitFailed {
		t.Errorf("status %d", got)
	}
	for _, want := range []string{"tokens in", "line 1", "--rate-limit", "--trusted-proxy"} {
		if !strings.Contains(r.err.String(), want) {
			t.Errorf("%q is missing in %s", want, &r.err)
		}
	}
	r = begin(t, "serve", "--store", "sqlite:"+fileIn(t, "c.db"), "--rate-limit", "2/5s", "--rate-by", "credential")
	if got := r.endItself(); got != exitFailed || !strings.Contains(r.err.String(), "--rate-by credential needs") {
		t.Errorf("status %d: %s", got, &r.err)
	}
}

func TestGate_WarnsWhenStrangersReachTheService(t *testing.T) {
	guarded := fileIn(t, "tokens")
	if err := os.WriteFile(guarded, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address   string
		file      string
		encrypted bool
		want      string
	}{
		{"127.0.0.1:3333", "", false, ""},
		{"[::1]:3333", "", false, ""},
		{"0.0.0.0:3333", "", false, "may count and read everything"},
		{"[::]:3333", "", true, "may count and read everything"},
		{"192.0.2.1:3333", guarded, false, "credentials come unencrypted"},
		{"192.0.2.1:3333", guarded, true, ""},
	} {
		var out buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		flags := gateFlags{TokensFile: c.file}
		g, err := flags.gate(log)
		if err != nil {
			t.Fatal(err)
		}
		at, err := net.ResolveTCPAddr("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		g.warn(at, c.encrypted, log)
		if got := out.String(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) || c.want != "" && !strings.Contains(got, "level=WARN") {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
