package bench

import (
	"io"
	"net"
	"testing"
	"time"
)

// pipeWorker is a worker with a batch of n requests for keys 0..n-1, on a pipe whose other end speak uses and closes.
func pipeWorker(t *testing.T, n int, speak func(net.Conn)) *worker {
	t.Helper()
	o := DefaultOptions()
	o.Targets, o.Verify, o.Connections = []string{"node:1"}, true, 1
	w := newWorker(newLoad(o), 0)
	w.ready.probed(0, time.Now(), nil)
	near, far := net.Pipe()
	c := newConn(near, 0, time.Second)
	w.conn = c
	for k := range n {
		w.flight = append(w.flight, request{key: k})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		speak(far)
		_ = far.Close()
	}()
	t.Cleanup(func() {
		w.hangUp()
		<-done
	})
	return w
}

// wireLength is what n requests take.
func wireLength(w *worker, n int) int {
	var b []byte
	for k := range n {
		b = w.increments[0].append(b, k)
	}
	return len(b)
}

func TestWorker_SendsAgainWhatWasNotWrittenToTheLastByte(t *testing.T) {
	for cut, want := range map[int]struct{ unknown, again int }{0: {2, 3}, -1: {1, 4}, 1: {2, 3}} {
		var w *worker
		ready := make(chan struct{})
		w = pipeWorker(t, 5, func(c net.Conn) {
			<-ready
			_, _ = io.CopyN(io.Discard, c, int64(wireLength(w, 2)+cut))
		})
		close(ready)
		w.exchange()
		if w.tally.counts.unknown != int64(want.unknown) || len(w.again) != want.again || w.tally.counts.resentUnwritten != int64(want.again) {
			t.Errorf("cut at %d: unknown %d, again %d", cut, w.tally.counts.unknown, len(w.again))
		}
		if first := w.again[0].key; first != want.unknown {
			t.Errorf("cut at %d: begins again with key %d", cut, first)
		}
		if _, high := w.ledger.interval(0, 1); high != 1 {
			t.Errorf("cut at %d: the first key's bound is %d", cut, high)
		}
		if w.conn != nil || w.ready.targets[0].condition != suspect {
			t.Errorf("cut at %d: still connected, or the target is still trusted", cut)
		}
	}
}

func TestWorker_SeesTheCloseThatStoppedItsWriting(t *testing.T) {
	var w *worker
	ready := make(chan struct{})
	w = pipeWorker(t, 5, func(c net.Conn) {
		<-ready
		// A pipe has no buffer, so the answer can be read only once the write was given up.
		_, _ = io.CopyN(io.Discard, c, int64(wireLength(w, 2)))
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.CopyN(io.Discard, c, int64(wireLength(w, 5)-wireLength(w, 2)))
		_, _ = io.WriteString(c, "HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\nHTTP/1.1 503 S\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	})
	close(ready)
	w.exchange()
	c := &w.tally.counts
	if c.answered != 1 || c.refused != 1 || c.resentAfterClose != 3 || c.unknown != 0 || len(w.again) != 3 || w.again[0].key != 2 {
		t.Errorf("answered %d, refused %d, resent %d, unknown %d, again %+v", c.answered, c.refused, c.resentAfterClose, c.unknown, w.again)
	}
	if w.ready.targets[0].condition != suspect || w.ready.targets[0].workers != -1 {
		t.Errorf("target %+v", w.ready.targets[0]) // never picked here, but left
	}
}

func TestWorker_PutsWhatIsSentAgainFirstInTheNextBatch(t *testing.T) {
	w := pipeWorker(t, 0, func(net.Conn) {})
	w.options.Pipeline = 3
	w.schedule = newSchedule(w.options, newBudget(100), 0, time.Now())
	start := time.Now()
	for k := range 4 {
		w.again = append(w.again, request{key: 1000 + k, start: start})
	}
	w.fill(t.Context())
	if len(w.flight) != 3 || w.flight[0].key != 1000 || w.flight[2].key != 1002 || !w.flight[0].start.Equal(start) {
		t.Errorf("first: %+v", w.flight)
	}
	w.fill(t.Context())
	if len(w.flight) != 3 || w.flight[0].key != 1003 || w.flight[1].key >= 1000 || !w.flight[1].start.IsZero() || len(w.again) != 0 {
		t.Errorf("then: %+v", w.flight)
	}
}

func TestWorker_GoesElsewhereWhenATargetRefusesBetweenTwoProbes(t *testing.T) {
	lost, here := startNode(t, newSums()), startNode(t, newSums())
	lost.stop()
	o := testOptions(lost, here)
	w := newWorker(newLoad(o), 0)
	for i := range w.hosts {
		w.ready.probed(i, time.Now(), nil) // the last word on both, for this test
	}
	if err := w.dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer w.hangUp()
	if w.conn.target != 1 || w.tally.counts.dialRetries != 1 || w.ready.targets[0].condition != down || w.ready.targets[0].workers != 0 {
		t.Errorf("at target %d after %d retries, %+v", w.conn.target, w.tally.counts.dialRetries, w.ready.targets)
	}
}

func TestWorker_ReconnectsBeforeItWritesWhenAnIdleConnectionWasClosed(t *testing.T) {
	n := startNode(t, newSums())
	w := newWorker(newLoad(testOptions(n)), 0)
	w.ready.probed(0, time.Now(), nil)
	if err := w.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer w.hangUp()
	w.conn.wire.at = time.Now().Add(-time.Minute) // when it was last used
	kept := w.conn
	if err := w.connect(t.Context()); err != nil || w.conn != kept {
		t.Fatalf("an open connection was not kept: %v", err)
	}
	n.stop()
	n.start()
	eventually(t, "the end of the connection is here", func() bool { return readable(kept.net) })
	if err := w.connect(t.Context()); err != nil || w.conn == kept {
		t.Fatalf("a closed connection was kept: %v", err)
	}
	w.flight = []request{{key: 1}}
	if w.exchange(); w.tally.counts.answered != 1 || w.tally.counts.failed() != 0 {
		t.Errorf("answered %d, failed %d", w.tally.counts.answered, w.tally.counts.failed())
	}
}
