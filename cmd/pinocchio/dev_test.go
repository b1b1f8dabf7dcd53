package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDev_RunsAClusterThatCountsAndKeepsItsTotals(t *testing.T) {
	data := t.TempDir()
	args := []string{
		"dev", "--http", "127.0.0.1:0", "--data", data, "--flush-interval", "20ms", "--drain-delay", "10ms", "--lease-ttl", "3s",
		"--log-level", "error",
	}
	for life := 1; life <= 2; life++ {
		r := begin(t, args...)
		said := r.says(&r.out, `(?s)3 nodes are ready:(.*)Totals are kept in sqlite:(\S+)\. .*curl (\S+)/api/v1/increment/page:1`)
		nodes := strings.Fields(said[0])
		if len(nodes) != 3 || said[2] != nodes[2] || !strings.HasPrefix(said[1], data) {
			t.Fatalf("it says %q", said)
		}
		for n, base := range nodes {
			for k := range 5 {
				increment(t, base, fmt.Sprint("k", k))
				value(t, nodes[(n+1)%3], fmt.Sprint("k", k), 9*(life-1)+3*(n+1))
			}
		}
		if status := r.end(); status != exitOK {
			t.Fatalf("stopped with status %d", status)
		}
	}
}

func TestDev_TakesThePortsBehindTheFirst(t *testing.T) {
	first, last := twoPorts(t)
	c := parsed(t, "--nodes", "2", "--http", first)
	c.Data = t.TempDir()
	members, err := c.members(noStore{}, &gate{timeout: time.Second}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{first, last} {
		if got := members[i].ln.Addr().String(); got != want {
			t.Errorf("node %d listens on %s, want %s", i+1, got, want)
		}
		_ = members[i].ln.Close()
	}
}

// twoPorts returns two free neighbouring addresses.
func twoPorts(t *testing.T) (first, second string) {
	t.Helper()
	for range 100 {
		a, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		first = a.Addr().String()
		second = fmt.Sprintf("127.0.0.1:%d", a.Addr().(*net.TCPAddr).Port+1)
		b, err := net.Listen("tcp", second)
		_ = a.Close()
		if err == nil {
			_ = b.Close()
			return first, second
		}
	}
	t.Fatal("no two ports are free")
	return "", ""
}

func TestDev_SaysInOneLineWhyItCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := fileIn(t, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	for _, c := range []struct{ args, says string }{
		{"--nodes 0", "--nodes is 0, must be 1 to 16"},
		{"--nodes 17", "--nodes is 17"},
		{"--http nonsense", `--http "nonsense"`},
		{"--http 127.0.0.1:http", "the port must be a number"},
		{"--http " + taken.Addr().String(), "choose another with --http"},
		{"--data " + file + "/below", "choose another with --data"},
		{"--store mysql://x", "open the store"},
	} {
		r := begin(t, append([]string{"dev", "--data", data, "--log-level", "error"}, strings.Fields(c.args)...)...)
		if got := r.endItself(); got != exitFailed || !strings.Contains(r.err.String(), c.says) {
			t.Errorf("%s: status %d, %s", c.args, got, &r.err)
		}
	}
}

func TestRedacted_HidesThePassword(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u@h/d?password=secret&sslmode=disable": "postgres://u@h/d?sslmode=disable",
		"postgres://user:pass@host/db":                     "postgres://user@host/db",
		"postgres://user:p@ss:w@host:5/db?x=y":             "postgres://user@host:5/db?x=y",
		"postgres://user@host/db":                          "postgres://user@host/db",
		"postgres://host/db":                               "postgres://host/db",
		"sqlite:/data/pinocchio.db":                        "sqlite:/data/pinocchio.db",
	} {
		if got := redacted(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}
