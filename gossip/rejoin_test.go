package gossip

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

func TestRejoin_HealsASplitThatOutlastedTheMemoryOfTheDead(t *testing.T) {
	w := &wall{}
	nodes := startCluster(t, 4, func(i int, c *Config) {
		c.DeadTime = 300 * time.Millisecond
		c.wrap = func(inner memberlist.NodeAwareTransport) memberlist.NodeAwareTransport {
			return &walled{NodeAwareTransport: inner, wall: w, side: i % 2}
		}
		if i == 0 {
			c.RejoinInterval = time.Hour // the first node has no seeds; the others find it
		}
	})
	for i, g := range nodes {
		w.put(g.LocalAddr(), i%2)
	}
	w.set(true)
	waitMembers(t, nodes[0], "n1", "n3")
	waitMembers(t, nodes[1], "n2", "n4")
	waitMembers(t, nodes[2], "n1", "n3")
	waitMembers(t, nodes[3], "n2", "n4")
	// memberlist looks for the other side no longer than this; from here on only a rejoin can heal the split.
	over := time.Now().Add(3 * nodes[0].cfg.DeadTime)
	eventually(t, func() string { return "the dead are forgotten" }, func() bool { return time.Now().After(over) })
	w.set(false)
	for _, g := range nodes {
		waitMembers(t, g, "n1", "n2", "n3", "n4")
	}
}

// rounds returns a MoreSeeds that sends the time of each call, and gives nothing that can be joined.
func rounds() (func(context.Context) ([]string, error), chan time.Time) {
	calls := make(chan time.Time, 100)
	return func(context.Context) ([]string, error) {
		calls <- time.Now()
		return []string{"127.0.0.1:1"}, nil
	}, calls
}

func TestRejoin_TriesAgainSoonThenLessOftenWhenNobodyIsThere(t *testing.T) {
	c := quick("n1")
	c.RejoinInterval = 3200 * time.Millisecond // first after a sixteenth, then twice that
	var calls chan time.Time
	c.MoreSeeds, calls = rounds()
	start(t, c)
	first, second, third := <-calls, <-calls, <-calls
	if soon := c.RejoinInterval / firstRetry; second.Sub(first) < soon*3/4 || third.Sub(second) < soon*3/2 {
		t.Errorf("rounds after %v and %v", second.Sub(first), third.Sub(second))
	}
	if d := third.Sub(first); d > c.RejoinInterval*4/5 {
		t.Errorf("it waited %v, as if it were not alone", d)
	}
}

func TestRejoin_IsDoneAtOnceWhenAskedFor(t *testing.T) {
	other := start(t, quick("other"))
	c := quick("n1")
	c.RejoinInterval = time.Hour
	found := make(chan string, 1)
	c.MoreSeeds = func(context.Context) ([]string, error) {
		select {
		case addr := <-found:
			return []string{addr}, nil
		default:
			return nil, nil
		}
	}
	g := start(t, c)
	<-g.Joined()
	found <- other.LocalAddr()
	g.Rejoin()
	waitMembers(t, g, "n1", "other")
}

func TestR10_RoundsKeepADistanceHoweverOftenTheyAreAskedFor(t *testing.T) {
	c := quick("n1")
	c.RejoinInterval = time.Hour
	var calls chan time.Time
	c.MoreSeeds, calls = rounds()
	g := start(t, c)
	var seen []time.Time
	for len(seen) < 4 {
		g.Rejoin()
		select {
		case at := <-calls:
			seen = append(seen, at)
		case <-time.After(time.Millisecond):
		}
	}
	if d := seen[3].Sub(seen[0]); d < 3*roundGap {
		t.Errorf("four rounds within %v", d)
	}
}

func TestR10_ARoundTriesABoundedNumberOfSeeds(t *testing.T) {
	c := quick("n1")
	c.Seeds = []string{"127.0.0.1:1"}
	c.MoreSeeds = func(context.Context) ([]string, error) {
		var all []string
		for i := range 10 * maxSeeds {
			all = append(all, fmt.Sprintf("127.0.0.1:%d", i+2))
		}
		return all, nil
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rejoiner{Gossip: g}
	a, b := r.seeds(t.Context()), r.seeds(t.Context())
	if len(a) != maxSeeds || len(b) != maxSeeds {
		t.Errorf("%d and %d seeds", len(a), len(b))
	}
	if fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("the same ones in each round")
	}
	if len(g.cfg.Seeds) != 1 || g.cfg.Seeds[0] != "127.0.0.1:1" {
		t.Errorf("the configuration was changed: %v", g.cfg.Seeds)
	}
}

func TestRejoin_GivesUpAQuestionToTheStoreThatIsNotAnswered(t *testing.T) {
	c := quick("n1")
	c.StreamTimeout = 20 * time.Millisecond
	c.MoreSeeds = func(ctx context.Context) ([]string, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rejoiner{Gossip: g}
	if seeds := r.seeds(t.Context()); len(seeds) != 0 || !r.lost {
		t.Errorf("seeds %v, lost %v", seeds, r.lost)
	}
}
