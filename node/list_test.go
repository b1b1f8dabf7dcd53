package node

import (
	"errors"
	"slices"
	"testing"
)

func TestNode_ListsPersistedCountersInKeyOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	for i, key := range []string{"page:2", "other", "page:10", "page:1"} {
		n.add(key, int64(i+1))
	}
	c.exact(map[string]int64{"page:2": 1, "other": 2, "page:10": 3, "page:1": 4})
	page, err := n.List("page:", "page:1", 5)
	if want := []KeyValue{{"page:10", 3}, {"page:2", 1}}; err != nil || !slices.Equal(page, want) {
		t.Errorf("%v %v", page, err)
	}
	if page, err = n.List("", "", 1); err != nil || len(page) != 1 || page[0].Key != "other" {
		t.Errorf("the first of all: %v %v", page, err)
	}
	n.faults.add(refuse(errCrashed, "List"))
	if _, err = n.List("", "", 1); !errors.Is(err, ErrStoreDown) {
		t.Errorf("without a store: %v", err)
	}
}
