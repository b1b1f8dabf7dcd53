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
	ids   []IDRow
}

// An index row of Postgres has room for about 2,700 bytes. Longer keys are no counters either: their deltas are set
// aside, but the ids of such operations could not be recorded at all.
const (
	maxIDBytes    = 255
	maxIDKeyBytes = 2048
)

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
	n, ids := 0, 0
	for i := range r.Batches {
		n += len(r.Batches[i].Deltas)
		ids += len(r.Batches[i].IDs)
	}
	a := arranged{rows: make([]row, 0, n), ids: make([]IDRow, 0, ids)}
	for i := range r.Batches {
		b := &r.Batches[i]
		a.ids = append(a.ids, b.IDs...)
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
	return a, r.arrangeIDs(a.ids)
}

// arrangeIDs puts the records in the order of (key, id) and checks them.
func (r *Request) arrangeIDs(ids []IDRow) error {
	if len(ids) > 0 && r.KeepIDs == 0 {
		return fmt.Errorf("%w: ids without a time to keep them", ErrRequest)
	}
	slices.SortFunc(ids, func(x, y IDRow) int { return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.ID, y.ID)) })
	for i := range ids {
		if n := len(ids[i].ID); n == 0 || n > maxIDBytes || len(ids[i].Key) > maxIDKeyBytes {
			return fmt.Errorf("%w: id of %d bytes for a key of %d bytes", ErrRequest, n, len(ids[i].Key))
		}
		if i > 0 && ids[i].Ref() == ids[i-1].Ref() {
			return fmt.Errorf("%w: id %q of key %q stands twice", ErrRequest, ids[i].ID, ids[i].Key)
		}
	}
	return nil
}

// validate checks everything but keys and ids, which arrange sees for nothing.
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
	if len(b.Deltas)+len(b.IDs) > 0 && len(b.Moves) == 0 {
		return fmt.Errorf("%w: partition %d has deltas or ids but no move that would prove them", ErrRequest, b.Partition)
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

// validateReclaim returns ErrRequest unless each epoch is proof that the store went back.
func validateReclaim(want []Reclaim) error {
	for _, w := range want {
		if w.Partition > math.MaxInt32 || w.Above <= w.Epoch || w.Above >= math.MaxInt64 {
			return fmt.Errorf("%w: partition %d at epoch %d cannot be reclaimed above %d", ErrRequest, w.Partition, w.Epoch, w.Above)
		}
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
