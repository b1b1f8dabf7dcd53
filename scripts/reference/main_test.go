package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestReference_AnswersEverythingWith202UntilItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", in) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "listening on ")
	if !ok {
		t.Fatalf("printed %q", line[:n])
	}
	client := &fasthttp.HostClient{Addr: addr}
	req, resp := &fasthttp.Request{}, &fasthttp.Response{}
	req.SetRequestURI("http://" + addr + "/api/v1/increment")
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetBodyString(`{"key":"a","value":1}`)
	if err := client.Do(req, resp); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode() != 202 || len(resp.Body()) != 0 {
		t.Errorf("status %d, body %q", resp.StatusCode(), resp.Body())
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestReference_SaysWhyWhenItCannotListen(t *testing.T) {
	if err := run(t.Context(), "127.0.0.1:99999", io.Discard); err == nil {
		t.Error("listened on port 99999")
	}
}
