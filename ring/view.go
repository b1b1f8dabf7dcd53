package ring

import "sync/atomic"

// View holds the current table for readers that never wait: a lookup is one atomic load, a hash and two slice
// reads. Make it with NewView.
type View struct {
	table atomic.Pointer[Table]
}

// NewView returns a view of t, which must not be nil.
func NewView(t *Table) *View {
	v := &View{}
	v.Store(t)
	return v
}

// Table returns the current table. Take it once for decisions that belong together.
func (v *View) Table() *Table { return v.table.Load() }

// Store makes t, which must not be nil, the current table.
func (v *View) Store(t *Table) {
	if t == nil {
		panic("ring: a view needs a table")
	}
	v.table.Store(t)
}

// Lookup returns the partition of key and the member that should own it, "" when there are no members.
func (v *View) Lookup(key []byte) (partition uint32, owner string) {
	t := v.table.Load()
	partition = t.Partition(key)
	return partition, t.Owner(partition)
}
