package dashboard

import (
	"log/slog"
	"testing"
)

// Whoever is too slow and was the last leaves nobody for whom to ask the cluster.
func TestPublish_EndsTheCollectionWithTheLastSlowReader(t *testing.T) {
	d := New(&teller{}, slog.New(slog.DiscardHandler))
	slow := &watcher{events: make(chan []byte, maxWaiting)}
	stop := make(chan struct{})
	d.mu.watchers[slow], d.mu.stop = struct{}{}, stop
	for i := range maxWaiting {
		if !d.publish(stop, history{}, []byte("{}")) {
			t.Fatalf("dropped after %d events of %d", i, maxWaiting)
		}
	}
	if d.publish(stop, history{}, []byte("{}")) {
		t.Error("the collection goes on for nobody")
	}
	select {
	case <-stop:
	default:
		t.Error("who collects was not told to end")
	}
	if d.mu.stop != nil || len(d.mu.watchers) != 0 {
		t.Error("a watcher is left")
	}
}
