package flush

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
)

// ErrRequest says that a request breaks its own rules: a fault of the caller that no retry mends. Nothing was sent.
var ErrRequest = errors.New("malformed flush request")

// arranged is a request's deltas in the form that both stores write: one list in key order. One order for everybody
// means that two flushes never wait for each other in a circle, and neighbours in the index are written together.
type arranged struct {
	rows  []row
	aside []setAside
}

// row is a delta to add; place is its index in the request's order (see Request).
type row struct {
	key   string
	delta int64
	place int
}

// setAside is a delta for the quarantine table.
type setAside struct {
	key       string
	delta     int64
	partition uint32
	reason    string
}

// arrange checks r and returns its deltas in key order. Errors: ErrRequest, or a *DataError for a key that no database
// holds as text.
func (r *Request) arrange() (arranged, error) {
	if err := r.validate(); err != nil {
		return arranged{}, err
	}
	n := 0
	for i := range r.Batches {
		n += len(r.Batches[i].Deltas)
	}
	a := arranged{rows: make([]row, 0, n)}
	for i := range r.Batches {
		b := &r.Batches[i]
		for _, d := range b.Deltas {
			if reason, ok := r.Quarantine[d.Key]; ok {
				a.aside = append(a.aside, setAside{d.Key, d.Delta, b.Partition, reason})
				continue
			}
			if err := checkText(d.Key); err != nil {
				return arranged{}, err
			}
			a.rows = append(a.rows, row{d.Key, d.Delta, len(a.rows)})
		}
	}
	slices.SortFunc(a.rows, func(x, y row) int { return cmp.Compare(x.key, y.key) })
	for i := 1; i < len(a.rows); i++ {
		if a.rows[i].key == a.rows[i-1].key {
			return arranged{}, fmt.Errorf("%w: key %q stands twice", ErrRequest, a.rows[i].key)
		}
	}
	return a, nil
}

// validate checks everything but the uniqueness of keys, which arrange sees for nothing.
func (r *Request) validate() error {
	if r.Node == uuid.Nil {
		return fmt.Errorf("%w: no node", ErrRequest)
	}
	seen := make(map[uint32]struct{}, len(r.Batches))
	for i := range r.Batches {
		b := &r.Batches[i]
		if _, ok := seen[b.Partition]; ok {
			return fmt.Errorf("%w: partition %d stands twice", ErrRequest, b.Partition)
		}
		seen[b.Partition] = struct{}{}
		if err := b.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) validate() error {
	if b.Partition > math.MaxInt32 || b.Epoch >= math.MaxInt64 {
		return fmt.Errorf("%w: partition %d at epoch %d is out of range", ErrRequest, b.Partition, b.Epoch)
	}
	if len(b.Deltas) > 0 && len(b.Moves) == 0 {
		return fmt.Errorf("%w: partition %d has deltas but no move that would prove them", ErrRequest, b.Partition)
	}
	origins := make(map[uuid.UUID]struct{}, len(b.Moves))
	for _, m := range b.Moves {
		if m.From >= m.To || m.To > math.MaxInt64 {
			return fmt.Errorf("%w: partition %d moves %s from %d to %d", ErrRequest, b.Partition, m.Origin, m.From, m.To)
		}
		if _, ok := origins[m.Origin]; ok {
			return fmt.Errorf("%w: partition %d moves %s twice", ErrRequest, b.Partition, m.Origin)
		}
		origins[m.Origin] = struct{}{}
	}
	return nil
}

// values puts the new values, given in key order, into the request's order.
func (a *arranged) values(sorted []int64) []KeyValue {
	out := make([]KeyValue, len(a.rows))
	for i, r := range a.rows {
		out[r.place] = KeyValue{r.key, sorted[i]}
	}
	return out
}
