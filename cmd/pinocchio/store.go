package main

import (
	"context"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/ring"
)

// storeValues reads counters for the verification of a load.
type storeValues struct{ flush.Store }

// Values implements bench.StoreReader.
func (s storeValues) Values(ctx context.Context, keys []string) (map[string]int64, error) {
	snap, err := s.Read(ctx, keys, nil, nil)
	return snap.Values, err
}

// openValues opens the store of a cluster with the usual settings.
func openValues(ctx context.Context, url string) (benchStore, error) {
	s := settings{ClusterName: "pinocchio", Partitions: ring.Default().Partitions}
	store, err := s.look(ctx, url, "pinocchio bench")
	if err != nil {
		return nil, err
	}
	return storeValues{store}, nil
}
