package seal

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func nobody(ID) bool { return false }

// began returns the id of the process that began n-th.
func began(n int) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func TestWindow_TakesEachNumberOnceAlsoOutOfOrder(t *testing.T) {
	w := NewWindow(nobody)
	for _, c := range []struct {
		from   int
		number uint64
		want   bool
	}{
		{1, 5, true},
		{1, 5, false},
		{1, 3, true},
		{1, 4, true},
		{1, 3, false},
		{2, 5, true}, // each sender has numbers of its own
		{1, 5 + windowSize - 1, true},
		{1, 5, false},
		{1, 6, true}, // the lowest that is still remembered
		{1, 5 + windowSize, true},
		{1, 6, false},
		{1, 10 * windowSize, true}, // a jump forgets all
		{1, 5 + windowSize, false},
		{1, 10*windowSize - 1, true},
		{1, 10*windowSize - 1, false},
		{1, 9 * windowSize, false},
		{1, 0, false},
		{1, 1<<64 - 1, false}, // beyond any stream
	} {
		if got := w.Take(began(c.from), c.number); got != c.want {
			t.Errorf("number %d of sender %d: %v", c.number, c.from, got)
		}
	}
}

// Against the simplest model: a set of all numbers that were taken.
func TestWindow_AgreesWithASet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	w, taken, high := NewWindow(nobody), map[uint64]bool{}, uint64(1)
	for range 200_000 {
		n := high + rnd.Uint64N(40)
		switch rnd.IntN(10) {
		case 0:
			n = high + rnd.Uint64N(2*windowSize)
		case 1, 2, 3:
			n = high - min(high, rnd.Uint64N(windowSize+windowSize/8))
		}
		want := n > 0 && n+windowSize > high && !taken[n]
		if got := w.Take(began(1), n); got != want {
			t.Fatalf("number %d with highest %d: %v", n, high, got)
		}
		if want {
			taken[n] = true
			high = max(high, n)
		}
	}
}

func TestWindow_TakesANumberOnceFromManyAtATime(t *testing.T) {
	w := NewWindow(nobody)
	var all sync.WaitGroup
	var taken atomic.Int64
	for range 8 {
		all.Go(func() {
			for n := uint64(1); n <= 2000; n++ {
				if w.Take(began(1), n) {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() != 2000 {
		t.Errorf("%d of 2000 numbers were taken", taken.Load())
	}
}

func TestWindow_FoldsASilentSenderAndTakesNothingOldOfItAfterwards(t *testing.T) {
	w, clock := NewWindow(nobody), time.Now()
	w.now = func() time.Time { return clock }
	w.Take(began(1), 100)
	clock = clock.Add(windowRest + time.Second)
	w.Take(began(2), 1) // a new sender: the others are looked at
	if w.senders[began(1)].bits != nil || w.senders[began(2)].bits == nil {
		t.Fatal("the silent sender's window is kept, or the other's is not")
	}
	for number, want := range map[uint64]bool{99: false, 100: false, 101: true} {
		if got := w.Take(began(1), number); got != want {
			t.Errorf("number %d: %v", number, got)
		}
	}
}

func TestWindow_ForgetsSendersWithoutTakingThemAgain(t *testing.T) {
	alive := began(10)
	w, clock := NewWindow(func(id ID) bool { return id == alive }), time.Now()
	w.now = func() time.Time { return clock }
	for n := range maxSenders {
		w.Take(began(n+10), 1)
	}
	clock = clock.Add(windowRest + time.Second)
	if !w.Take(began(maxSenders+1000), 1) {
		t.Error("a new sender is refused")
	}
	if n := len(w.senders); n > maxSenders/2+2 {
		t.Errorf("%d senders are remembered", n)
	}
	for n := range maxSenders {
		if w.Take(began(n+10), 1) {
			t.Fatalf("number 1 of sender %d is taken again", n+10)
		}
	}
	if w.Take(began(5), 1) {
		t.Error("an unknown sender that began before the forgotten ones is taken")
	}
	if !w.Take(alive, 2) {
		t.Error("a sender that is alive was forgotten")
	}
}
