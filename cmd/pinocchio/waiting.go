package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/httpapi"
	"github.com/pinocchio-nose/pinocchio/internal/expo"
	"github.com/pinocchio-nose/pinocchio/node"
)

// Pauses of a start that waits for the database.
const (
	firstPause  = 100 * time.Millisecond // between two tries; it doubles
	longestWait = 2 * time.Second
	tellEvery   = 30 * time.Second // between two log lines
)

// opening opens a store that may not be there yet. Until it is, whoever asks at the node's address is told so.
type opening struct {
	open  func(context.Context) (flush.Store, error)
	limit time.Duration // how long a store is waited for that cannot be reached; 0: for ever
	log   *slog.Logger
}

// run returns the store, as soon as there is one. It gives ln back as it got it.
func (o opening) run(ctx context.Context, ln net.Listener, s *httpapi.Server, stub *notYet) (flush.Store, error) {
	served := make(chan error, 1)
	mine := &lent{Listener: ln}
	go func() { served <- s.Serve(mine) }()
	store, err := o.await(ctx, ln.Addr(), stub)
	quit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.Shutdown(quit) // whom it cuts off was told to go elsewhere
	failed := <-served
	if errors.Is(failed, httpapi.ErrClosed) { // the store was open before the first Accept
		failed = nil
	}
	if failed = errors.Join(failed, mine.back()); failed != nil && err == nil {
		return nil, errors.Join(fmt.Errorf("serve clients: %w", failed), store.Close())
	}
	return store, err
}

// await tries again for as long as trying can help.
func (o opening) await(ctx context.Context, at net.Addr, stub *notYet) (flush.Store, error) {
	bounded, cancel := context.WithCancel(ctx)
	if o.limit > 0 {
		bounded, cancel = context.WithTimeout(ctx, o.limit)
	}
	defer cancel()
	began, told := time.Now(), time.Time{}
	var why error
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		store, err := o.open(bounded)
		if retry := (*flush.RetryError)(nil); errors.As(err, &retry) {
			err = retry.Err // that nothing was written goes without saying
		}
		if why == nil || bounded.Err() == nil { // a try that was cut short tells nothing
			why = err
		}
		switch {
		case err == nil:
			if !told.IsZero() {
				o.log.Info("the database answers", "waited", since(began))
			}
			return store, nil
		case ctx.Err() != nil:
			return nil, fmt.Errorf("stopped before the database could be opened, after %v: %w", since(began), why)
		case bounded.Err() != nil:
			return nil, fmt.Errorf("the database could not be reached within %v (--start-timeout): %w", o.limit, why)
		case !flush.Unreachable(err):
			return nil, openFault(err)
		}
		stub.down.Store(true)
		if time.Since(told) >= tellEvery {
			told = time.Now()
			o.log.Warn("waiting for the database: this node is alive and not ready", "http", at, "waited", since(began), "error", oneLine(err))
		}
		pauseFor(bounded, pause/2+rand.N(pause/2)) // nodes that start together do not knock together
	}
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }

func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// openFault says what to do about a store that waiting does not open.
func openFault(err error) error {
	advice := flush.Advice(err)
	var other *flush.SettingsError
	if errors.As(err, &other) {
		advice = "start with those of the store (--cluster-name, --partitions), which are fixed when a cluster is created, or give --store another database"
	}
	if advice == "" {
		return fmt.Errorf("open the store (--store): %w", err)
	}
	return fmt.Errorf("open the store (--store): %w: %s", err, advice)
}

// lent is a listener that is served for a while and then given back: closing it ends Accept and nothing else.
type lent struct{ net.Listener }

// Close implements net.Listener.
func (l *lent) Close() error { return l.until(time.Unix(1, 0)) }

// back makes the listener as it was.
func (l *lent) back() error { return l.until(time.Time{}) }

func (l *lent) until(t time.Time) error {
	d, ok := l.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return errors.New("the listener for clients takes no deadline")
	}
	return d.SetDeadline(t)
}

// notYet stands for a node whose store is not open: alive, and not ready.
type notYet struct {
	cluster, node string
	down          atomic.Bool // the store was tried, and cannot be reached
}

var _ httpapi.Service = (*notYet)(nil)

// Ready implements httpapi.Service.
func (n *notYet) Ready() error {
	if n.down.Load() {
		return fmt.Errorf("%w: %w", node.ErrNotReady, node.ErrStoreDown)
	}
	return fmt.Errorf("%w: the store is being opened", node.ErrNotReady)
}

// Increment implements httpapi.Service.
func (n *notYet) Increment(node.Increment) (node.Result, error) {
	return node.Result{}, node.ErrNotReady
}

// Change implements httpapi.Service.
func (n *notYet) Change(node.Change) (node.Changed, error) {
	return node.Changed{}, node.ErrNotReady
}

// IncrementMany implements httpapi.Service.
func (n *notYet) IncrementMany(_ []node.Increment, out []node.Outcome) {
	for i := range out {
		out[i].Err = node.ErrNotReady
	}
}

// Total implements httpapi.Service.
func (n *notYet) Total([]byte) (node.Reading, error) { return node.Reading{}, node.ErrNotReady }

// Counter implements httpapi.Service.
func (n *notYet) Counter([]byte) (node.Detail, error) { return node.Detail{}, node.ErrNotReady }

// List implements httpapi.Service.
func (n *notYet) List(string, string, int) ([]node.KeyValue, error) { return nil, node.ErrNotReady }

// Cluster implements httpapi.Service.
func (n *notYet) Cluster() node.ClusterStatus {
	return node.ClusterStatus{Cluster: n.cluster, Node: n.node}
}

// Audit implements httpapi.Service.
func (n *notYet) Audit() node.AuditFigures {
	return node.AuditFigures{Cluster: n.cluster, Node: n.node}
}

// WriteMetrics implements httpapi.Service.
func (n *notYet) WriteMetrics(w io.Writer) {
	expo.Table{{Name: "pinocchio_store_up", Type: expo.TypeGauge, Help: "1 when the last renewal of the lease reached the store."}}.
		Write(w, func(w io.Writer) { _, _ = io.WriteString(w, "pinocchio_store_up 0\n") })
}
