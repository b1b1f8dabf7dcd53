package node

import (
	"context"
	"errors"
	"fmt"
)

// ErrStoreDown: the store did not answer a read.
var ErrStoreDown = errors.New("the store cannot be read")

// KeyValue is a counter with the value that the store has of it.
type KeyValue struct {
	Key   string
	Value int64
}

// List returns at most limit persisted counters whose key starts with prefix and is greater than after, in key order
// (bytes). What was counted since the last flush is not in it. ErrStoreDown: the store did not answer.
func (n *Node) List(prefix, after string, limit int) ([]KeyValue, error) {
	if !n.accepting.Load() {
		return nil, ErrNotReady
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.cfg.StoreTimeout)
	defer cancel()
	page, err := n.cfg.Store.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStoreDown, err)
	}
	out := make([]KeyValue, len(page))
	for i, kv := range page {
		out[i] = KeyValue(kv)
	}
	return out, nil
}
