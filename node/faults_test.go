package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// faultStore is a store whose calls can be made to fail before or after they were applied.
type faultStore struct {
	flush.Store
	register func(*flush.Node) // changes what is registered

	mu     sync.Mutex
	faults []*fault
}

// fault is what happens to calls of some methods (none named: of all). do calls apply, or does not.
type fault struct {
	methods []string
	do      func(ctx context.Context, apply func() error) error

	mu    sync.Mutex
	count map[string]int
}

func newFaultStore(s flush.Store) *faultStore { return &faultStore{Store: s} }

// add puts a fault in force, before those already there.
func (s *faultStore) add(f *fault) *fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.count = make(map[string]int)
	s.faults = append([]*fault{f}, s.faults...)
	return f
}

// heal ends all faults, calls that are blocked by one not included.
func (s *faultStore) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// remove ends one fault.
func (s *faultStore) remove(f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(other *fault) bool { return other == f })
}

// hits returns how many calls of the method the fault has met.
func (f *fault) hits(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[method]
}

var errLost = errors.New("the reply was lost")

// refuse answers err without applying anything.
func refuse(err error, methods ...string) *fault {
	return &fault{methods: methods, do: func(context.Context, func() error) error { return err }}
}

// pass is no fault: it counts.
func pass(methods ...string) *fault {
	return &fault{methods: methods, do: func(_ context.Context, apply func() error) error { return apply() }}
}

// lose applies the call and answers that nobody knows whether it was.
func lose(methods ...string) *fault {
	return &fault{methods: methods, do: func(_ context.Context, apply func() error) error {
		_ = apply()
		return errLost
	}}
}

// block holds calls back until release, which lets them through, or until their context ends.
func block(methods ...string) (f *fault, release func()) {
	gate := make(chan struct{})
	var once sync.Once
	f = &fault{methods: methods, do: func(ctx context.Context, apply func() error) error {
		select {
		case <-gate:
			return apply()
		case <-ctx.Done():
			return &flush.RetryError{Err: ctx.Err()}
		}
	}}
	return f, func() { once.Do(func() { close(gate) }) }
}

// through is one call: its outcome may be another one than what apply left in the caller's variables.
func (s *faultStore) through(ctx context.Context, method string, apply func() error) error {
	s.mu.Lock()
	var hit *fault
	for _, f := range s.faults {
		if len(f.methods) == 0 || slices.Contains(f.methods, method) {
			hit = f
			break
		}
	}
	s.mu.Unlock()
	if hit == nil {
		return apply()
	}
	hit.mu.Lock()
	hit.count[method]++
	hit.mu.Unlock()
	return hit.do(ctx, apply)
}

// call is through for methods that return something.
func call[T any](ctx context.Context, s *faultStore, method string, f func() (T, error)) (out T, err error) {
	err = s.through(ctx, method, func() error {
		out, err = f()
		return err
	})
	if err != nil {
		var nothing T
		return nothing, err
	}
	return out, nil
}

func (s *faultStore) Register(ctx context.Context, n flush.Node, ttl time.Duration) error {
	if s.register != nil {
		s.register(&n)
	}
	return s.through(ctx, "Register", func() error { return s.Store.Register(ctx, n, ttl) })
}

func (s *faultStore) Renew(ctx context.Context, id uuid.UUID, ttl time.Duration) (flush.View, error) {
	return call(ctx, s, "Renew", func() (flush.View, error) { return s.Store.Renew(ctx, id, ttl) })
}

func (s *faultStore) View(ctx context.Context) (flush.View, error) {
	return call(ctx, s, "View", func() (flush.View, error) { return s.Store.View(ctx) })
}

func (s *faultStore) SetDraining(ctx context.Context, id uuid.UUID) error {
	return s.through(ctx, "SetDraining", func() error { return s.Store.SetDraining(ctx, id) })
}

func (s *faultStore) Claim(ctx context.Context, id uuid.UUID, want []flush.Ownership) ([]flush.Ownership, error) {
	return call(ctx, s, "Claim", func() ([]flush.Ownership, error) { return s.Store.Claim(ctx, id, want) })
}

func (s *faultStore) Adopt(ctx context.Context, partitions []uint32) (flush.Adoption, error) {
	return call(ctx, s, "Adopt", func() (flush.Adoption, error) { return s.Store.Adopt(ctx, partitions) })
}

func (s *faultStore) Flush(ctx context.Context, r *flush.Request) (flush.Result, error) {
	return call(ctx, s, "Flush", func() (flush.Result, error) { return s.Store.Flush(ctx, r) })
}

func (s *faultStore) Read(ctx context.Context, keys []string, partitions []uint32, ids []flush.IDRef) (flush.Snapshot, error) {
	return call(ctx, s, "Read", func() (flush.Snapshot, error) { return s.Store.Read(ctx, keys, partitions, ids) })
}

func (s *faultStore) List(ctx context.Context, prefix, after string, limit int) ([]flush.KeyValue, error) {
	return call(ctx, s, "List", func() ([]flush.KeyValue, error) { return s.Store.List(ctx, prefix, after, limit) })
}

func (s *faultStore) CloseNode(ctx context.Context, id uuid.UUID, persisted bool) error {
	return s.through(ctx, "CloseNode", func() error { return s.Store.CloseNode(ctx, id, persisted) })
}

func (s *faultStore) Expire(ctx context.Context, retention time.Duration) (int, error) {
	return call(ctx, s, "Expire", func() (int, error) { return s.Store.Expire(ctx, retention) })
}

// ClusterID is known also where no store stands behind.
func (s *faultStore) ClusterID() uuid.UUID {
	if s.Store == nil {
		return uuid.UUID{1}
	}
	return s.Store.ClusterID()
}
