package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownProcess runs a node as a process of its own, whose memory is its own, and returns the address of its API.
func ownProcess(t *testing.T, more ...string) string {
	t.Helper()
	args := []string{
		"serve", "--name", "n1", "--store", "sqlite:" + fileIn(t, "counters.db"), "--data", t.TempDir(),
		"--http", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--drain-delay", "10ms",
	}
	cmd := command(t, asMain, append(args, more...)...)
	var said buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); <-ended })
	joined, ready := regexp.MustCompile(`msg=joined .* http=(\S+)`), regexp.MustCompile(`msg=readiness .*ready=true`)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ended:
			t.Fatalf("it ended: %s", said.String())
		case <-tick.C:
		}
		if at := joined.FindStringSubmatch(said.String()); at != nil && ready.MatchString(said.String()) {
			return at[1]
		}
	}
}

// flood sends one increment for each of n clients, many at a time, and returns how many answers there were of each status.
func flood(t *testing.T, address string, first, n int) map[int]int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const body = `{"key":"page:1","value":1}`
	in, answers := bufio.NewReader(conn), make(map[int]int)
	for from := first; from < first+n; from += 500 {
		var requests strings.Builder
		for c := from; c < from+500; c++ {
			fmt.Fprintf(&requests, "POST /increment HTTP/1.1\r\nHost: n1\r\nX-Forwarded-For: 10.%d.%d.%d\r\nContent-Length: %d\r\n\r\n%s",
				c>>16, c>>8&255, c&255, len(body), body)
		}
		if _, err := io.WriteString(conn, requests.String()); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			answers[answer.StatusCode]++
		}
	}
	return answers
}

// What a node remembers of its clients is bounded by how many come within an allowance's time, whatever else they do.
func TestServe_TakesNoMoreMemoryForClientsThatComeAgain(t *testing.T) {
	clients, rounds, bound := 100_000, 5, 8.0 // MiB: another set of clients takes about as much
	if slowed {
		clients, bound = 10_000, 40
	}
	address := ownProcess(t, "--rate-limit", "2/5s", "--trusted-proxy", "127.0.0.1/32", "--durability", "memory")
	memory := func(name string) float64 {
		_, page := call(t, http.MethodGet, "http://"+address+"/metrics", "")
		found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(page)
		if found == nil {
			t.Fatalf("the metrics lack %s", name)
		}
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value / (1 << 20)
	}
	flood(t, address, 0, 500) // what any load takes is there then
	before, after := memory("process_resident_memory_bytes"), 0.0
	for round := range rounds {
		began := time.Now()
		answers := flood(t, address, 1<<16, clients)
		rss, heap := memory("process_resident_memory_bytes"), memory("go_memstats_heap_inuse_bytes")
		t.Logf("round %d: %v in %v; RSS %.1f MiB (%.1f before), heap %.1f MiB", round+1, answers, time.Since(began).Round(time.Millisecond), rss, before, heap)
		if round == 0 {
			after = rss
			if answers[http.StatusAccepted] != clients {
				t.Errorf("the first of each client: %v", answers)
			}
		}
		if answers[http.StatusAccepted]+answers[http.StatusTooManyRequests] != clients {
			t.Errorf("round %d: %v", round+1, answers)
		}
		if rss > after+bound {
			t.Errorf("round %d: RSS has grown from %.1f to %.1f MiB", round+1, after, rss)
		}
	}
}
