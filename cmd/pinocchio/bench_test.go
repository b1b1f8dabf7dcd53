package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/bench"
)

// service counts one key's increments of one, and says lie more than it counted.
type service struct {
	mu     sync.Mutex
	count  int64
	lie    int64
	status int
}

func (s *service) handle(ctx *fasthttp.RequestCtx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ctx.IsPost() && s.status != 0:
		ctx.SetStatusCode(s.status)
	case ctx.IsPost():
		s.count++
		ctx.SetStatusCode(202)
	case s.count > 0:
		_ = json.NewEncoder(ctx).Encode(map[string]any{"data": map[string]int64{"value": s.count + s.lie}})
	default:
		_, _ = ctx.WriteString(`{"data":{"value":0}}`)
	}
}

// start serves on loopback until the test ends and returns the address.
func (s *service) start(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: s.handle}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		_ = server.Shutdown()
		_ = ln.Close()
		<-served
	})
	return ln.Addr().String()
}

// runBench runs the command in this process.
func runBench(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	status = run(t.Context(), append([]string{"bench", "--connections", "2"}, args...), streams{out: &o, err: &e}, func(int) {})
	return status, o.String(), e.String()
}

func TestBench_ReportsToPeopleAndToAFile(t *testing.T) {
	s := &service{}
	file := fileIn(t, "result.json")
	status, out, errs := runBench(t, "--target", s.start(t), "--requests", "500", "--keys", "1", "--verify", "--strict", "--json", file)
	if status != exitOK || errs != "" || !strings.Contains(out, "500 in ") || !strings.Contains(out, "ok: 1 keys") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r bench.Result
	if err := json.Unmarshal(b, &r); err != nil || r.Answered != 500 || !r.Verify.OK {
		t.Errorf("%v in %s", err, b)
	}
}

func TestBench_DrawsLatenciesIntoTheFormatOfTheEnding(t *testing.T) {
	addr := (&service{}).start(t)
	vector, pixels := fileIn(t, "latency.svg"), fileIn(t, "latency.PNG")
	for _, file := range []string{vector, pixels} {
		if status, out, errs := runBench(t, "--target", addr, "--requests", "1500", "--plot", file); status != exitOK || errs != "" {
			t.Errorf("%s: status %d\n%s%s", file, status, out, errs)
		}
	}
	text, err := os.ReadFile(vector)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">Latency of 1500 requests by percentile<", ">closed loop, 2 connections, pipeline 1; ", ">99.9%<", ">milliseconds<", ">max "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the chart lacks %q: %s", want, text)
		}
	}
	if err := xml.Unmarshal(text, new(struct{})); err != nil {
		t.Error(err)
	}
	picture, err := os.Open(pixels)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = picture.Close() }()
	if _, err := png.Decode(picture); err != nil {
		t.Error(err)
	}
}

func TestBench_RefusesAPlotItCannotDrawBeforeTheLoad(t *testing.T) {
	s := &service{}
	load := []string{"--target", s.start(t), "--requests", "5", "--plot"}
	file := fileIn(t, "latency.pdf")
	if status, _, errs := runBench(t, append(load, file)...); status != exitUsage || !strings.Contains(errs, "plot: ") || !strings.Contains(errs, ".png") {
		t.Errorf("another ending: status %d, %s", status, errs)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it made the file all the same")
	}
	if status, _, errs := runBench(t, append(load, filepath.Join(file, "a.svg"))...); status != exitFailed || !strings.Contains(errs, "--plot: ") {
		t.Errorf("no such folder: status %d, %s", status, errs)
	}
	if s.count != 0 {
		t.Errorf("%d increments were sent", s.count)
	}
}

func TestBench_FailsWhenTheTotalsAreNotWhatWasAnswered(t *testing.T) {
	s := &service{lie: 1}
	status, out, errs := runBench(t, "--target", s.start(t), "--requests", "500", "--keys", "1", "--verify", "--verify-timeout", "100ms")
	if status != exitFailed || !strings.Contains(out, "FAILED") || !strings.Contains(errs, "totals") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

func TestBench_FailsOnFailedRequestsOnlyWhenStrict(t *testing.T) {
	s := &service{status: 503}
	args := []string{"--target", s.start(t), "--requests", "10"}
	if status, out, errs := runBench(t, args...); status != exitOK {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := runBench(t, append(args, "--strict")...); status != exitFailed || !strings.Contains(errs, "10 requests failed") {
		t.Errorf("strict: status %d\n%s%s", status, out, errs)
	}
}

func TestBench_LoadsAndVerifiesAClusterWithAccessControl(t *testing.T) {
	file := fileIn(t, "tokens")
	token := func(name string, more ...string) string {
		return strings.TrimSpace(outputOf(t, exitOK, append([]string{"token", name, "--file", file}, more...)...))
	}
	may, reads := token("bench"), token("reader", "--scopes", "read")
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--tokens-file", file)
	load := []string{"--target", base, "--requests", "50", "--keys", "5"}
	result := fileIn(t, "result.json")
	t.Setenv("PINOCCHIO_TOKEN", may)
	status, out, errs := runBench(t, append(load, "--verify", "--strict", "--json", result)...)
	written, _ := os.ReadFile(result)
	if status != exitOK || strings.Contains(out+errs+string(written), may) {
		t.Errorf("with a token: status %d\n%s%s%s", status, out, errs, written)
	}
	t.Setenv("PINOCCHIO_TOKEN", "")
	for name, args := range map[string][]string{
		"no token":                    load,
		"no token, verifying":         append([]string{"--verify", "--verify-timeout", "1h"}, load...),
		"one that may not":            append([]string{"--token", reads}, load...),
		"one that may not, verifying": append([]string{"--token", reads, "--verify"}, load...),
	} {
		status, out, errs := runBench(t, args...)
		if status != exitFailed || !strings.Contains(errs, "--token") || strings.Count(errs, "\n") != 1 || strings.Contains(out+errs, reads) {
			t.Errorf("%s: status %d\n%s%s", name, status, out, errs)
		}
	}
	if status, _, errs := runBench(t, append(load, "--token", "a b")...); status != exitUsage || !strings.Contains(errs, "token: ") || strings.Contains(errs, "a b") {
		t.Errorf("no token at all: status %d, %s", status, errs)
	}
}

func TestBench_CountsItemsOfBatchesOnARealNode(t *testing.T) {
	store := "sqlite:" + fileIn(t, "counters.db")
	_, base := serve(t, "n1", store)
	status, out, errs := runBench(t, "--target", base, "--requests", "20", "--batch", "500", "--keys", "700", "--return-total",
		"--verify", "--verify-store", store, "--strict")
	if status != exitOK || !strings.Contains(out, "10000 in ") || !strings.Contains(out, "expected sum 10000") || !strings.Contains(out, "store sum 10000") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := runBench(t, "--batch", "0"); status != exitUsage || !strings.Contains(errs, "batch: 0") {
		t.Errorf("no increments: status %d, %s", status, errs)
	}
}

// shelf is a store with one key.
type shelf struct {
	value  int64
	closed bool
}

func (s *shelf) Values(context.Context, []string) (map[string]int64, error) {
	return map[string]int64{"bench:0": s.value}, nil
}

func (s *shelf) Close() error { s.closed = true; return nil }

func TestBench_ComparesTheStore(t *testing.T) {
	addr := (&service{}).start(t)
	parser, err := newParser(streams{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(strings.Fields("bench --target " + addr +
		" --requests 20 --keys 1 --verify --verify-timeout 100ms --verify-store sqlite:x"))
	if err != nil {
		t.Fatal(err)
	}
	c := parsed.Selected().Target.Addr().Interface().(*benchCmd)
	store := &shelf{value: 20}
	open := func(context.Context, string) (benchStore, error) { return store, nil }
	var out strings.Builder
	if err := c.Run(t.Context(), streams{out: &out}, open); err != nil || !store.closed || !strings.Contains(out.String(), "store sum 20") {
		t.Errorf("%v, closed %v\n%s", err, store.closed, out.String())
	}
	if err := c.Run(t.Context(), streams{out: &out}, open); err == nil {
		t.Error("the store has 20 and the service 40, but it verified")
	}
	refused := func(context.Context, string) (benchStore, error) { return nil, errors.New("no such store") }
	if err := c.Run(t.Context(), streams{out: &out}, refused); err == nil || !strings.Contains(err.Error(), "--verify-store: no such store") {
		t.Errorf("error %v", err)
	}
}
