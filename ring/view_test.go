package ring

import (
	"fmt"
	"sync"
	"testing"
)

func TestView_ShowsOneTableOrTheOtherWhileItChanges(t *testing.T) {
	tables := []*Table{build(t, Default(), nodes("old", 3)...), build(t, Default(), nodes("new", 5)...)}
	v := NewView(tables[0])
	key := []byte("page:1")
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 2000 {
				p, owner := v.Lookup(key)
				if p != Partition(key, 271) || (owner != tables[0].Owner(p) && owner != tables[1].Owner(p)) {
					t.Errorf("partition %d of %q", p, owner)
					return
				}
			}
		})
	}
	for i := range 2000 {
		v.Store(tables[i%2])
	}
	readers.Wait()
	if v.Table() != tables[1] {
		t.Error("the last table is not the current one")
	}
}

func TestView_PanicsWhenItGetsNoTable(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("every later lookup would")
		}
	}()
	NewView(nil)
}

func TestLookup_DoesNotAllocate(t *testing.T) {
	v := NewView(build(t, Default(), nodes("node", 3)...))
	key := []byte("a key of twenty byte")
	if n := testing.AllocsPerRun(100, func() { v.Lookup(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	v := NewView(build(b, Default(), nodes("node", 3)...))
	key := []byte("a key of twenty byte")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v.Lookup(key)
		}
	})
}

func BenchmarkPartition(b *testing.B) {
	key := []byte("a key of twenty byte")
	b.ReportAllocs()
	for b.Loop() {
		Partition(key, 271)
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{3, 20, 100} {
		names := nodes("node", n)
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := New(names, Default()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
