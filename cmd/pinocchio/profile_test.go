package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestServe_ServesProfilesOnlyWhereItIsAskedTo(t *testing.T) {
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"), "--pprof", "127.0.0.1:0")
	profiles := r.says(&r.err, `msg="profiles are served .*" url=(\S+)`)[0]
	for path, begins := range map[string]string{"cmdline": "", "heap": "\x1f\x8b", "goroutine?debug=1": "goroutine profile: total", "": "<html>"} {
		status, body := call(t, http.MethodGet, profiles+path, "")
		if status != http.StatusOK || body == "" || !strings.HasPrefix(body, begins) {
			t.Errorf("%q: %d %.40q", path, status, body)
		}
	}
	if status, _ := call(t, http.MethodGet, base+"/debug/pprof/cmdline", ""); status != http.StatusNotFound {
		t.Errorf("clients get %d", status)
	}
	http.DefaultClient.CloseIdleConnections()
	if status := r.end(); status != exitOK {
		t.Errorf("stopped with status %d", status)
	}
	if resp, err := http.DefaultClient.Get(profiles); err == nil {
		_ = resp.Body.Close()
		t.Error("profiles are served by a node that has ended")
	}
}

func TestServe_ServesNoProfilesUnlessAsked(t *testing.T) {
	r, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	if said := r.err.String(); strings.Contains(said, "profiles") {
		t.Errorf("%s", said)
	}
	if status, _ := call(t, http.MethodGet, base+"/debug/pprof/cmdline", ""); status != http.StatusNotFound {
		t.Errorf("clients get %d", status)
	}
}

func TestServe_NamesAnAddressWhereItCannotServeProfiles(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	for _, c := range []struct{ address, says string }{
		{"nowhere", "--pprof must be host:port"},
		{strings.TrimPrefix(base, "http://"), "choose another with --pprof"},
	} {
		got := outputOf(t, exitFailed, "serve", "--store", "sqlite:"+fileIn(t, "other.db"), "--data", t.TempDir(), "--http", "127.0.0.1:0",
			"--peer", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--pprof", c.address)
		if !strings.Contains(got, c.says) || !strings.Contains(got, c.address) {
			t.Errorf("%s: %s", c.address, got)
		}
	}
}
