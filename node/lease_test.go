package node

import (
	"testing"
	"testing/synctest"
	"time"
)

// A lease is trusted from a renewal until 0.6 of its length after the moment before it was asked for.
func TestLease_IsTrustedForSixTenthsOfItsLengthFromTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		l := newLease(ttl)
		defer l.end()
		start := time.Now()
		l.now = func() time.Duration { return time.Since(start) }
		trusts := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			if l.trusted() != want || l.probably() != want || (l.left() > 0) != want {
				t.Errorf("%s: trusted %v, probably %v, left %v", what, l.trusted(), l.probably(), l.left())
			}
		}
		trusts("before the first renewal", false)
		asked := l.now()
		time.Sleep(2 * time.Second) // the answer took its time
		l.renewed(asked)
		trusts("just renewed", true)
		time.Sleep(4*time.Second - time.Nanosecond)
		trusts("at the last moment", true)
		time.Sleep(time.Nanosecond)
		trusts("6 s after the question", false)
		l.renewed(l.now() - 6*time.Second)
		trusts("when the answer came too late", false)
		for range 5 {
			l.renewed(l.now())
			time.Sleep(5 * time.Second)
			trusts("renewed in time, again and again", true)
		}
		time.Sleep(time.Second)
		trusts("and then no more", false)
	})
}

func TestLeaseClock_NeverGoesBack(t *testing.T) {
	now := leaseClock()
	last := now()
	for range 1000 {
		if next := now(); next < last {
			t.Fatalf("%v after %v", next, last)
		} else {
			last = next
		}
	}
	if last <= 0 {
		t.Errorf("it tells %v", last)
	}
}
