package node

import (
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
)

// A node whose own lease never had a gap knows that the store had no outage: an owner without a lease has lost it alone, and
// gets no grace for being seen alive.
func TestNode_ClaimsAtOnceFromAnOwnerThatAloneCannotReachTheStore(t *testing.T) {
	n, err := New((&cluster{t: t, store: openStore(t, sqliteURL(t)), log: &notebook{}}).config("n"))
	if err != nil {
		t.Fatal(err)
	}
	id := counter.Origin{7}
	w := &world{members: map[counter.Origin]*member{id: {alive: true, NodeState: flush.NodeState{LeaseLeft: -time.Millisecond}}}}
	for _, c := range []struct {
		what  string
		since time.Time
		want  bool
	}{
		{"no lease yet", time.Time{}, false},
		{"a gap of late", time.Now(), false},
		{"no gap for longer than a lease", time.Now().Add(-n.cfg.LeaseTTL - time.Millisecond), true},
	} {
		n.leaseSince = c.since
		if got := n.claimable(w, id); got != c.want {
			t.Errorf("%s: claimable is %v", c.what, got)
		}
	}
}

// The grace of one outage of the store must not be used up by an earlier one.
func TestNode_GivesANewGraceAfterEachOutageOfTheStore(t *testing.T) {
	n, err := New((&cluster{t: t, store: openStore(t, sqliteURL(t)), log: &notebook{}}).config("n"))
	if err != nil {
		t.Fatal(err)
	}
	id, gone := counter.Origin{7}, counter.Origin{8}
	m := &member{alive: true, NodeState: flush.NodeState{LeaseLeft: -time.Millisecond}}
	w := &world{members: map[counter.Origin]*member{id: m}}
	earlier := time.Now().Add(-2 * n.cfg.LeaseTTL)
	n.expiredSince[id], n.expiredSince[gone] = earlier, earlier
	n.endGrace(w)
	if !n.claimable(w, id) {
		t.Error("an outage that goes on ended the grace")
	}
	if _, known := n.expiredSince[gone]; known {
		t.Error("a process that is closed is not forgotten")
	}
	m.LeaseLeft = time.Second
	n.endGrace(w)
	m.LeaseLeft = -time.Millisecond
	if n.claimable(w, id) {
		t.Error("no grace in the second outage")
	}
}
