package node

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestLive_AnyNodeTellsOfAllAndOfTheHotKeys(t *testing.T) {
	c := newCluster(t, 3, nil)
	a, b := c.nodes[0], c.nodes[2]
	seen := make(map[string]int64)
	rates := make(map[string]bool)
	eventually(t, func() error {
		for range 640 {
			b.add("hot", 1)
		}
		s := a.Live(seen)
		if len(s.Nodes) != 3 {
			return fmt.Errorf("%d nodes told something of themselves", len(s.Nodes))
		}
		for p, owner := range s.Owners {
			if owner == "" {
				return fmt.Errorf("partition %d has no owner", p)
			}
		}
		hot := ""
		for _, n := range s.Nodes {
			for _, p := range n.Points {
				if p.Time <= seen[n.ID] {
					t.Errorf("%s told of %d again", n.Name, p.Time)
				}
				seen[n.ID] = p.Time
				rates[n.Name] = rates[n.Name] || p.Rate > 0
			}
			if len(n.Top) > 0 {
				hot = n.Name + "/" + n.Top[0].Key
			}
		}
		switch {
		case rates["n1"], rates["n2"]:
			return errors.New("a node that no client asked tells of increments")
		case !rates["n3"] || hot != "n3/hot":
			return fmt.Errorf("n3 counts: %v, hot: %q", rates["n3"], hot)
		}
		return nil
	})
}

func TestLive_KeepsFifteenMinutesAndNoMore(t *testing.T) {
	var l live
	for i := range int64(2 * livePoints) {
		l.add(LivePoint{Time: i})
	}
	all := l.since(0)
	if len(all) != livePoints || all[0].Time != livePoints || all[livePoints-1].Time != 2*livePoints-1 {
		t.Errorf("%d points from %d", len(all), all[0].Time)
	}
	if got := l.since(2*livePoints - 3); len(got) != 2 {
		t.Errorf("%d points after the last but two, want 2", len(got))
	}
}

func TestLive_SamplesOnlyWhileSomebodyLooks(t *testing.T) {
	var l live
	now := time.Now()
	l.sample([]byte("unseen"))
	if top := l.top(now); len(top) != 0 {
		t.Errorf("sampled before anybody looked: %v", top)
	}
	l.sample([]byte("seen"))
	if top := l.top(now.Add(time.Second)); len(top) != 1 || top[0].Key != "seen" {
		t.Errorf("top %v, want seen", top)
	}
	l.rest(now.Add(time.Second + liveWatch - 1))
	if l.watched.Load() == 0 {
		t.Error("sampling ended too early")
	}
	l.rest(now.Add(time.Second + liveWatch))
	if l.watched.Load() != 0 || l.keys.sketch != nil {
		t.Error("sampling goes on although nobody looks")
	}
}

func TestSampled_PicksOneInSixtyFour(t *testing.T) {
	picked := 0
	for i := range uint64(64_000) {
		picked += bit(sampled(i))
	}
	if picked < 990 || picked > 1010 {
		t.Errorf("%d of 64,000 were sampled, want about 1,000", picked)
	}
}
