package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// fake is a node that counts in memory and misbehaves as it is told.
type fake struct {
	mu     sync.Mutex
	counts map[string]int64
	posts  int
	post   func(number int) (status int, later, count bool) // nil: 202, counted
	get    func(value int64) (int64, bool)                  // value and whether it is stale; nil: as it is
}

// node returns a trial and one member behind which the fake stands.
func (f *fake) node(t *testing.T) (*trial, *member) {
	t.Helper()
	f.counts = map[string]int64{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	var out strings.Builder
	tr := &trial{
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		rep:    newReport(&out, scenario{name: "test"}),
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(out.String())
		}
	})
	return tr, &member{Node: rig.Node{Name: "fake", HTTP: strings.TrimPrefix(server.URL, "http://")}}
}

// ServeHTTP implements http.Handler.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodPost {
		f.increment(w, r)
		return
	}
	value, stale := f.counts[strings.TrimPrefix(r.URL.Path, "/api/v1/increment/")], false
	if f.get != nil {
		value, stale = f.get(value)
	}
	if stale {
		w.Header().Set("Warning", "110")
	}
	_, _ = fmt.Fprintf(w, `{"data":{"value":%d}}`, value)
}

func (f *fake) increment(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Key   string
		Value int64
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.posts++
	status, later, count := http.StatusAccepted, false, true
	if f.post != nil {
		status, later, count = f.post(f.posts)
	}
	if count {
		f.counts[body.Key] += body.Value
	}
	if later {
		w.Header().Set("Counted", "later")
	}
	w.WriteHeader(status)
}
