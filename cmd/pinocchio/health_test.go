package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth_SaysWhetherANodeIsReady(t *testing.T) {
	status := http.StatusOK
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
	}))
	defer node.Close()
	check := func(url string, want int, says string) {
		t.Helper()
		r := begin(t, "health", url)
		if got := r.endItself(); got != want || !strings.Contains(r.out.String()+r.err.String(), says) {
			t.Errorf("status %d, %s%s", got, &r.out, &r.err)
		}
	}
	check(node.URL, exitOK, "ready\n")
	check(node.URL+"/", exitOK, "ready\n")
	status = http.StatusServiceUnavailable
	check(node.URL, exitFailed, "the node is not ready: 503")
	node.Close()
	check(node.URL, exitFailed, "the node does not answer")
	check("http://no such host", exitFailed, "pinocchio: ")
}

func TestHealth_AsksANodeThatRuns(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	if r := begin(t, "health", base); r.endItself() != exitOK {
		t.Errorf("status %d, %s", r.status, &r.err)
	}
}
