package flush

import (
	"fmt"
	"math"

	"github.com/google/uuid"
)

// meta is what stands in cluster_meta.
type meta struct {
	Settings
	id uuid.UUID
}

// validate checks what the stores need of the settings.
func (s Settings) validate() error {
	if s.Partitions == 0 || s.Partitions > math.MaxInt32 {
		return fmt.Errorf("a store needs between 1 and %d partitions, not %d", math.MaxInt32, s.Partitions)
	}
	return checkText(s.Cluster, s.Hash, s.Ring)
}

// compare returns a *SettingsError that names each property in which the store's settings differ from s (R11).
func (s Settings) compare(store Settings) error {
	var diff []string
	differ := func(what string, own, stored any) {
		if own != stored {
			diff = append(diff, fmt.Sprintf("%s is %v here but %v in the store", what, own, stored))
		}
	}
	differ("the cluster's name", s.Cluster, store.Cluster)
	differ("the number of partitions", s.Partitions, store.Partitions)
	differ("the key hash", s.Hash, store.Hash)
	differ("the ring", s.Ring, store.Ring)
	if diff == nil {
		return nil
	}
	return &SettingsError{Diff: diff}
}
