package node

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/expo"
)

func (i *instance) metrics() string {
	var b bytes.Buffer
	i.WriteMetrics(&b)
	return b.String()
}

func TestMetrics_ShowEveryFamilyWellFormedAndTrue(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	for range 3 {
		owner.add(key, 1)
		other.add(key, 1)
	}
	c.exact(map[string]int64{key: 6})
	page := owner.metrics()
	for _, fault := range expo.Lint(strings.NewReader(page)) {
		t.Error(fault)
	}
	for _, f := range families() {
		if !strings.Contains(page, "\n# TYPE "+f.Name+" "+string(f.Type)+"\n") {
			t.Errorf("%s is missing", f.Name)
		}
	}
	for _, sample := range []string{
		`pinocchio_increments_total{result="accepted"} 3`,
		`pinocchio_increments_total{result="later"} 0`,
		"pinocchio_operations_forwarded_in_total 3",
		fmt.Sprintf("pinocchio_partitions_owned %d", owner.tally().owned),
		"pinocchio_partitions_settling 0",
		"pinocchio_partitions_unowned 0",
		"pinocchio_pending_operations 0",
		`pinocchio_counters_in_memory{state="all"} 1`,
		`pinocchio_counters_in_memory{state="dirty"} 0`,
		"pinocchio_lease_trusted 1",
		"pinocchio_store_up 1",
		`pinocchio_members{state="alive"} 2`,
		`pinocchio_members{state="leased"} 2`,
		"pinocchio_peer_mangled_total 0",
	} {
		if !strings.Contains(page, "\n"+sample+"\n") {
			t.Errorf("%q is missing", sample)
		}
	}
	if strings.Contains(page, key) {
		t.Error("a key stands in the metrics")
	}
}

func TestCluster_TellsItsState(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	n := c.nodes[1]
	s := n.Cluster()
	if s.Cluster != c.name || s.Node != "n2" || s.Partitions != int(testSettings().Partitions) || !s.StoreOK || s.RingVersion == "" {
		t.Errorf("%+v", s)
	}
	owned, wanted, self := 0, 0, 0
	for at, m := range s.Members {
		i := c.nodes[at] // by name
		if m.ID != i.ID() || m.Name != i.cfg.Name || m.HTTPAddr != i.cfg.HTTPAddr || m.GossipAddr == "" || m.PeerAddr != i.front.ln.Addr().String() {
			t.Errorf("member %d: %+v", at, m)
		}
		if !m.Alive || m.Draining || m.LeaseLeft <= 0 || m.LeaseLeft > n.cfg.LeaseTTL || m.Self != (i == n) {
			t.Errorf("member %d: %+v", at, m)
		}
		owned, wanted, self = owned+m.Owned, wanted+m.Wanted, self+bit(m.Self)
	}
	if owned != s.Partitions || wanted != s.Partitions || self != 1 {
		t.Errorf("%d owned, %d wanted of %d partitions, %d times self", owned, wanted, s.Partitions, self)
	}
}

func TestCluster_TellsForHowLongOperationsHaveBeenPending(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	blocked, release := block("Flush")
	n.faults.add(blocked)
	defer release()
	began := time.Now()
	n.add("k", 1)
	var s ClusterStatus
	eventually(t, func() error {
		if s = n.Cluster(); s.Pending != 1 || s.PendingAge < 100*time.Millisecond {
			return fmt.Errorf("%d pending for %v", s.Pending, s.PendingAge)
		}
		return nil
	})
	if most := time.Since(began) + time.Second; s.PendingAge > most { // it is told roughly
		t.Errorf("pending for %v, after %v", s.PendingAge, most)
	}
	n.faults.heal()
	release()
	eventually(t, func() error {
		if s := n.Cluster(); s.Pending != 0 || s.PendingAge != 0 {
			return errors.New("still pending")
		}
		return nil
	})
}

func TestSlot_TellsTheAgeOfTheOldestPendingOperation(t *testing.T) {
	sl := &newSlots(1, [16]byte{1}, counter.Holders{}, 0).all[0]
	sl.p.Acquire(1, nil, nil, nil)
	now := time.Now()
	add := func() {
		if _, err := sl.p.Add(1, "k", 1); err != nil {
			t.Fatal(err)
		}
	}
	age := func(what string, want time.Duration) {
		t.Helper()
		if got := sl.age(now, time.Second); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	age("nothing is pending", 0)
	add()
	age("just added", 0)
	now = now.Add(3 * time.Second)
	age("for a while", 3*time.Second)
	if _, ok := sl.p.Freeze(); !ok {
		t.Fatal("nothing to flush")
	}
	add()
	now = now.Add(time.Second)
	age("with a younger one", 4*time.Second)
	sl.p.Done(1, nil, nil)
	age("only the younger one, seen a moment ago", 0)
	now = now.Add(5 * time.Second)
	age("only the younger one", 5*time.Second)
	for range 2 * maxMarks {
		now = now.Add(time.Second)
		sl.age(now, time.Second)
	}
	if len(sl.marks) > maxMarks {
		t.Errorf("%d marks", len(sl.marks))
	}
}
