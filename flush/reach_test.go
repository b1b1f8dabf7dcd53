package flush_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pinocchio-nose/pinocchio/flush"
)

func TestUnreachable_IsWhatWaitingCures(t *testing.T) {
	answer := func(code string) error {
		return fmt.Errorf("open: %w", &flush.RetryError{Err: &pgconn.PgError{Code: code}})
	}
	for what, c := range map[string]struct {
		err  error
		want bool
	}{
		"starting":          {answer("57P03"), true},
		"stopping":          {answer("57P01"), true},
		"too many clients":  {answer("53300"), true},
		"a standby":         {answer("25006"), true},
		"refused":           {&flush.RetryError{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, true},
		"no address yet":    {&net.DNSError{IsNotFound: true}, true},
		"no answer":         {fmt.Errorf("connect: %w", context.DeadlineExceeded), true},
		"cut off":           {io.ErrUnexpectedEOF, true},
		"wrong password":    {answer("28P01"), false},
		"no database":       {answer("3D000"), false},
		"not allowed":       {answer("42501"), false},
		"a code of its own": {answer("x"), false},
		"other TLS":         {&net.OpError{Op: "remote error", Err: tls.AlertError(70)}, false},
		"no such file":      {&os.PathError{Op: "mkdir", Err: syscall.ENOENT}, false},
		"settings":          {&flush.SettingsError{}, false},
		"newer schema":      {&flush.SchemaError{}, false},
		"stopped":           {context.Canceled, false},
		"none":              {nil, false},
	} {
		if got := flush.Unreachable(c.err); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// What a real server answers, and what stands where there is none.
func TestUnreachable_JudgesARealServer(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = gone.Close() }()
	silent := gone.Addr().String() // it takes connections and says nothing
	for what, c := range map[string]struct {
		url       string
		reachable bool
	}{
		"no database": {server.URL("missing"), true},
		"no role":     {"postgres://nobody@" + server.Addr() + "/postgres?sslmode=disable", true},
		"silent":      {"postgres://a@" + silent + "/a?sslmode=disable", false},
		"no host":     {"postgres://a@host.invalid/a", false},
	} {
		patience := 20 * time.Second
		if what == "silent" {
			patience = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := flush.Open(ctx, c.url, settings, flush.Options{})
		cancel()
		if err == nil || errors.Is(err, context.Canceled) || flush.Unreachable(err) == c.reachable || (flush.Advice(err) != "") != c.reachable {
			t.Errorf("%s: unreachable %v, advice %q: %v", what, flush.Unreachable(err), flush.Advice(err), err)
		}
	}
}
