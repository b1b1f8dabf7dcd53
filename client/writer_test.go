package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// counting is a node's batch endpoint: it counts each ID once.
type counting struct {
	*httptest.Server
	mu       sync.Mutex
	totals   map[string]int64
	ids      map[string]bool
	requests int
	hold     chan struct{} // not nil: requests wait until it is closed
	loseNext bool          // counts, and ends the connection
	refuse   bool          // the next request's first item gets 503
}

func newCounting(tb testing.TB) *counting {
	s := &counting{totals: map[string]int64{}, ids: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	tb.Cleanup(s.Close)
	return s
}

func (s *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var items []struct {
		Key   string
		Value int64
		ID    string
	}
	if err := json.NewDecoder(r.Body).Decode(&items); err != nil || r.URL.Path != "/api/v1/increments" {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	var answers []map[string]any
	for _, in := range items {
		switch {
		case in.Key == "bad":
			answers = append(answers, map[string]any{"status": 422, "errors": map[string][]string{"key": {"is invalid"}}})
		case s.refuse:
			s.refuse = false
			answers = append(answers, map[string]any{"status": 503})
		case in.ID != "" && s.ids[in.ID]:
			answers = append(answers, map[string]any{"status": 202, "replayed": true})
		default:
			s.ids[in.ID] = true
			s.totals[in.Key] += in.Value
			answers = append(answers, map[string]any{"status": 202})
		}
	}
	if s.loseNext {
		s.loseNext = false
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(answers)
}

func (s *counting) total(key string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals[key]
}

func add(t *testing.T, w *client.Writer, key string, n int) {
	t.Helper()
	for range n {
		if err := w.Add(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriter_SendsInBatchesAndCountsEachOnceThroughLossesAndRefusals(t *testing.T) {
	node := newCounting(t)
	w := connect(t, node.URL).NewWriter(client.WriterOptions{MaxBatch: 100, MaxDelay: time.Hour})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { add(t, w, "k", 250) })
	}
	all.Wait()
	if err := w.Flush(t.Context()); err != nil || node.total("k") != 1000 || node.requests != 10 {
		t.Errorf("%v, total %d in %d requests, want 1000 in 10", err, node.total("k"), node.requests)
	}
	node.mu.Lock()
	node.loseNext, node.refuse = true, true
	node.mu.Unlock()
	add(t, w, "k", 5)
	if err := w.Close(t.Context()); err != nil || node.total("k") != 1005 {
		t.Errorf("%v, total %d, want 1005", err, node.total("k"))
	}
	if err := w.Add(t.Context(), "k", 1); !errors.Is(err, client.ErrClosed) {
		t.Errorf("added after Close: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestWriter_SendsByItselfAfterTheDelay(t *testing.T) {
	node := newCounting(t)
	w := connect(t, node.URL).NewWriter(client.WriterOptions{MaxDelay: time.Millisecond})
	add(t, w, "k", 1)
	// Nothing tells the test that the delay has passed: it looks until the increment is there.
	for deadline := time.Now().Add(20 * time.Second); node.total("k") != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not sent")
		}
	}
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWriter_TellsOfEachFailureAndOfUnknownOutcomes(t *testing.T) {
	node := newCounting(t)
	var failed []string
	w := connect(t, node.URL).NewWriter(client.WriterOptions{
		NoIDs: true, MaxDelay: time.Hour, OnError: func(in client.Increment, _ error) { failed = append(failed, in.Key) },
	})
	add(t, w, "good", 1)
	add(t, w, "bad", 2)
	var write *client.WriteError
	var answer *client.Error
	if err := w.Flush(t.Context()); !errors.As(err, &write) || !errors.As(err, &answer) || write.Failed != 2 || write.Unknown != 0 || answer.Status != 422 {
		t.Errorf("%v", err)
	}
	if strings.Join(failed, " ") != "bad bad" || node.total("good") != 1 {
		t.Errorf("failed %v, good %d", failed, node.total("good"))
	}
	node.mu.Lock()
	node.loseNext = true
	node.mu.Unlock()
	add(t, w, "good", 3)
	if err := w.Close(t.Context()); !errors.As(err, &write) || write.Unknown != 3 || !errors.Is(err, client.ErrUnknownOutcome) {
		t.Errorf("%v, want three unknown outcomes", err)
	}
}

func TestWriter_PressesBackAndGivesUpWhenTold(t *testing.T) {
	node := newCounting(t)
	node.hold = make(chan struct{})
	w := connect(t, node.URL).NewWriter(client.WriterOptions{MaxPending: 3, MaxBatch: 1})
	add(t, w, "k", 3)
	full, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.Add(full, "k", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a fourth one was taken: %v", err)
	}
	var write *client.WriteError
	if err := w.Close(full); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &write) || write.Failed != 3 {
		t.Errorf("%v", err)
	}
	close(node.hold)
}

// A Writer's increments have IDs unless told otherwise, and are repeated; when the repeats come to nothing, too, they may count.
func TestWriter_TellsOfUnknownOutcomesAlsoWithIDs(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request)
		unknown int64
	}{
		"lost":             {lose, 2},
		"not in time":      {hang, 2},
		"500":              {status(500), 2},
		"each 500":         {answers(`[{"status":500},{"status":500}]`), 2},
		"one held":         {answers(`[{"status":504},{"status":422}]`), 1},
		"refused":          {status(503), 0},
		"cannot be read":   {answers("[cut"), 2},
		"each refused":     {answers(`[{"status":503},{"status":503}]`), 0},
		"refused for good": {status(413), 0},
		"a proxy's page":   {answers("<html>"), 2},
	} {
		node := newStub(t)
		node.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var items []json.RawMessage
			if err := json.NewDecoder(r.Body).Decode(&items); err == nil && name == "one held" && len(items) == 1 {
				answers(`[{"status":504}]`)(w, r)
				return
			}
			c.answer(w, r)
		})
		w := connect(t, node.URL).NewWriter(client.WriterOptions{MaxDelay: time.Hour})
		add(t, w, "k", 2)
		var write *client.WriteError
		if err := w.Close(t.Context()); !errors.As(err, &write) || write.Failed != 2 || write.Unknown != c.unknown {
			t.Errorf("%s: %v, want 2 failed, %d unknown", name, err, c.unknown)
		}
	}
}

func TestWriter_TellsApartWhatWasSentWhenCloseGivesUp(t *testing.T) {
	arrived := make(chan struct{})
	node := newStub(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		hang(w, r)
	})
	c, err := client.New(client.Options{Nodes: []string{node.URL}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := c.NewWriter(client.WriterOptions{MaxBatch: 1})
	add(t, w, "k", 3)
	<-arrived
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var write *client.WriteError
	if err := w.Close(over); !errors.As(err, &write) || write.Failed != 3 || write.Unknown != 1 {
		t.Errorf("%v, want 3 failed, and the one that was sent unknown", err)
	}
}

// A batch that can never be full because no more may be pending would wait for its delay each time.
func TestWriter_SendsWhenNoMoreMayBePending(t *testing.T) {
	node := newCounting(t)
	w := connect(t, node.URL).NewWriter(client.WriterOptions{MaxPending: 3, MaxBatch: 100, MaxDelay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 7 {
		if err := w.Add(ctx, "k", 1); err != nil {
			t.Fatalf("%v: the three before it wait for company that cannot come", err)
		}
	}
	if err := w.Close(t.Context()); err != nil || node.total("k") != 7 {
		t.Errorf("%v, total %d, want 7", err, node.total("k"))
	}
}
