package httpapi

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/dashboard"
	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// A stream that was opened with a token which is then taken back shows everybody's keys no longer than any other request would.
func TestAccess_EndsTheStreamOfATokenThatIsTakenBack(t *testing.T) {
	var tokens, lines []string
	for _, name := range []string{"leaver", "stayer"} {
		token, line, err := access.NewToken(name, access.Read, nil)
		if err != nil {
			t.Fatal(err)
		}
		tokens, lines = append(tokens, token), append(lines, line+"\n")
	}
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(lines[0] + lines[1])
	guard, err := access.New(access.Config{TokensFile: path}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); guard.Run(ctx, time.Millisecond) }()
	t.Cleanup(func() { cancel(); <-done })
	page := dashboard.New(quietLive{}, slog.New(slog.DiscardHandler))
	h := start(t, &fakeService{}, func(c *Config) { c.Access, c.Page, c.ClosePage = guard, page.Serve, page.Close })

	var streams []*bufio.Reader
	for _, token := range tokens {
		c := h.dial()
		c.send(request("GET", "/dashboard/events", "", "Authorization: Bearer "+token))
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		lines := bufio.NewReader(resp.Body)
		if first, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(first, "data: ") {
			t.Fatalf("the first event: %q %v", first, err)
		}
		streams = append(streams, lines)
	}
	write(lines[1])
	if _, err := io.Copy(io.Discard, streams[0]); err != nil {
		t.Errorf("a token that was taken back keeps its stream: %v", err)
	}
	for range 4 { // two more events
		if _, err := streams[1].ReadString('\n'); err != nil {
			t.Fatalf("the stream of the other token: %v", err)
		}
	}
	if got := h.do(request("GET", "/dashboard/events", "", "Authorization: Bearer "+tokens[0])); got.StatusCode != 401 {
		t.Errorf("it connects again: %d", got.StatusCode)
	}
}
