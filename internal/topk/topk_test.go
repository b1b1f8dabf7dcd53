package topk

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSketch_KeepsTheFrequentKeysAndBoundsTheirCounts(t *testing.T) {
	now := time.Unix(1, 0)
	s := New(64, time.Hour, now)
	rnd := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(rnd, 1.2, 1, 9999)
	truth := make(map[string]float64)
	for range 100_000 {
		key := fmt.Sprint(zipf.Uint64())
		truth[key]++
		s.Add([]byte(key))
	}
	if len(s.heap) != 64 || len(s.index) != 64 {
		t.Fatalf("%d counters and %d keys, want 64 each", len(s.heap), len(s.index))
	}
	for _, e := range s.heap {
		if real := truth[e.key]; real > e.count || real < e.count-e.err {
			t.Errorf("%s occurred %v times, the sketch says %v to %v", e.key, real, e.count-e.err, e.count)
		}
	}
	for key, count := range truth {
		if _, kept := s.index[key]; count > 100_000/64 && !kept {
			t.Errorf("%s occurred %v times and is not kept", key, count)
		}
	}
	top := s.Top(3, 1, now.Add(time.Second))
	for i, want := range []string{"0", "1", "2"} {
		if top[i].Key != want {
			t.Errorf("place %d has %q, want %q", i, top[i].Key, want)
		}
	}
}

func TestSketch_TellsRatesAndForgets(t *testing.T) {
	now := time.Unix(1, 0)
	s := New(8, 10*time.Second, now)
	for range 30 { // seconds
		for range 5 {
			s.Add([]byte("a"))
		}
		now = now.Add(time.Second)
		s.Top(1, 1, now)
	}
	if got := s.Top(1, 64, now)[0].Least; math.Abs(got-5*64) > 5*64*0.1 {
		t.Errorf("rate %v, want about %v", got, 5*64)
	}
	if got := s.Top(1, 64, now.Add(2*time.Minute))[0].Least; got > 1 {
		t.Errorf("rate %v two minutes later, want about 0", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := New(512, 10*time.Second, time.Unix(1, 0))
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "page:%d", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Add(keys[i%len(keys)])
	}
}
