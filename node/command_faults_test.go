package node

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// impatient makes nodes give up soon on an owner, and never lose their lease.
func impatient(cfg *Config) { cfg.OwnerTimeout, cfg.LeaseTTL = time.Second, time.Minute }

// A lost answer leaves the command in doubt; it is not sent again, and counts at most once.
func TestCluster_LeavesACommandInDoubtWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, impatient)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	owner.add(key, 0)
	owner.front.dropReplies(true)
	if r, err := other.Change(upTo(key, 1, 10)); !errors.Is(err, ErrInDoubt) {
		t.Errorf("%+v, %v", r, err)
	}
	owner.front.dropReplies(false)
	if got := owner.total(key); got != 1 {
		t.Errorf("it counted %d times", got)
	}
	other.changes(upTo(key, 9, 10), 1, 9)
	c.exact(map[string]int64{key: 10})
}

// An owner that nobody can connect to has not heard of it: nothing was counted, and that is said.
func TestCluster_RefusesACommandWhenItsOwnerListensNoMore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, impatient)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	owner.front.cut()
	eventually(t, func() error { // what goes on a connection that has just ended is in doubt
		if _, err := other.Change(setTo(key, 5)); !errors.Is(err, ErrUnreachable) {
			return fmt.Errorf("it ends with: %w", err)
		}
		return nil
	})
	if got := owner.total(key); got != 0 {
		t.Errorf("it counted all the same: %d", got)
	}
}

func TestCluster_LeavesACommandInDoubtWhenItsOwnerHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, impatient)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	other.changes(setTo(key, 5), 0, 5) // there is a connection
	owner.front.hang(true)
	if r, err := other.Change(setTo(key, 6)); !errors.Is(err, ErrInDoubt) {
		t.Errorf("%+v, %v", r, err)
	}
	owner.front.hang(false)
}

// A node that cannot trust its lease resolves nothing: another one may own the partition, and count.
func TestNode_ResolvesNothingWithoutALease(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) {
		shortLeases(cfg)
		cfg.OwnerTimeout = 100 * time.Millisecond
	})
	n := c.nodes[0]
	eventually(t, func() error { // a busy machine may make it doubt for a moment
		_, err := n.Change(setTo("k", 5))
		return err
	})
	n.faults.add(refuse(errDown, "Renew"))
	n.doubtful("k")
	if _, err := n.Change(setTo("k", 6)); !errors.Is(err, ErrUnreachable) {
		t.Errorf("in doubt of its lease: %v", err)
	}
	n.faults.heal()
	eventually(t, func() error {
		r, err := n.Total([]byte("k"))
		if err == nil && r.Stale {
			err = errors.New("stale")
		}
		return err
	})
	c.exact(map[string]int64{"k": 5})
}

// R8: a refusal tells of the total, as a read does. A process that stood still until its lease was over, just after it looked at it, tells
// nothing.
func TestNode_RejectsNothingByATotalThatMayBeOld(t *testing.T) {
	t.Parallel()
	n, _, _ := resting(t)
	sl := n.slots.of(counter.Hash("k"))
	n.slots.change(sl, func(p *counter.Partition) {
		p.Acquire(2, nil, nil, nil)
		token, _ := p.BeginLoad()
		if !p.Loaded(token, &counter.Snapshot{Wanted: counter.Wanted{Keys: []string{"k"}}, Values: map[string]int64{"k": 10}}) {
			t.Fatal("the total is not known")
		}
	})
	n.accepting.Store(true)
	n.lease.renewed(n.lease.now())
	defer n.lease.end()
	c := upTo("k", 1, 10)
	if _, _, err := n.resolve(&request{sl: sl}, &c, Memory); !errors.Is(err, counter.ErrOutOfBounds) {
		t.Fatalf("with a lease: %v", err)
	}
	looks := 0
	now := n.lease.now
	n.lease.now = func() time.Duration {
		if looks++; looks > 1 {
			return now() + n.cfg.LeaseTTL
		}
		return now()
	}
	if r, state, err := n.resolve(&request{sl: sl}, &c, Memory); err != nil || state != counter.ReadSettle {
		t.Errorf("without one: %+v, state %d, %v", r, state, err)
	}
}

// The store cannot be read: a counter that its owner does not know cannot be set.
func TestNode_RefusesACommandWhenTheTotalCannotBeRead(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, impatient)
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	down := refuse(errDown, "Read")
	owner.faults.add(down)
	for _, i := range c.nodes {
		if _, err := i.Change(setTo(key, 5)); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", i.cfg.Name, err)
		}
	}
	owner.faults.remove(down)
	other.changes(setTo(key, 5), 0, 5)
	c.exact(map[string]int64{key: 5})
}

// The store does not take the flush: the command is held, in doubt until somebody looks, and counts once.
func TestNode_LeavesACommandInDoubtWhenItsDurabilityIsNotReached(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) {
		impatient(cfg)
		cfg.StoreTimeout = 100 * time.Millisecond
	})
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	owner.add(key, 1)
	c.exact(map[string]int64{key: 1})
	gate, release := block("Flush")
	owner.faults.add(gate)
	s := setTo(key, 5)
	s.Durability = Database
	for _, i := range []*instance{owner, other} {
		if _, err := i.Change(s); !errors.Is(err, ErrInDoubt) {
			t.Errorf("%s: %v", i.cfg.Name, err)
		}
	}
	release()
	c.exact(map[string]int64{key: 5})
}

// R7, at durability database: whoever was told that a ticket is sold has it, though its owner crashed in the middle; no more are
// sold than there are.
func TestCluster_SellsNoMoreTicketsThanThereAreWhenTheOwnerCrashes(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) {
		shortLeases(cfg)
		cfg.OwnerTimeout, cfg.StoreTimeout = 200*time.Millisecond, 500*time.Millisecond
	})
	victim := c.nodes[0]
	o := newOffice(victim.keyOf("k", 0), 300)
	wait := o.open(t, 6, Database, always(c.nodes[1:]...))
	o.past(t, 50)
	victim.crash()
	c.usurped(victim, c.nodes[1:]...)
	wait()
	if o.sold > o.tickets || o.sold+o.doubts < o.tickets {
		t.Errorf("%d of %d tickets are sold, %d in doubt", o.sold, o.tickets, o.doubts)
	}
	for n, times := range o.totals {
		if times != 1 || n > o.tickets {
			t.Errorf("ticket %d was sold %d times", n, times)
		}
	}
	c.agree()
	c.exact(map[string]int64{o.key: o.tickets})
}

// R9: a later owner that refuses a command's operation since its key counts may have counted this very command, repeated there.
func TestNode_IsInDoubtOfACommandWhoseKeyCountsAtALaterOwner(t *testing.T) {
	t.Parallel()
	n, _, _ := resting(t)
	for refused, want := range map[error]error{counter.ErrIDReused: ErrInDoubt, counter.ErrOutOfRange: ErrOutOfRange} {
		q := &request{ticket: getTicket(Disk)}
		q.ticket.Err = refused
		q.ticket.Done <- struct{}{}
		if r, err := n.changed(q, counter.Resolved{Before: 7, Delta: -2}, Disk); !errors.Is(err, want) {
			t.Errorf("%v: %+v, %v, want %v", refused, r, err, want)
		}
	}
}

// A message for which there is no free connection was surely not taken.
func TestCaller_KnowsThatWhatFoundNoConnectionWasNeverTaken(t *testing.T) {
	t.Parallel()
	n, _, peer := resting(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	call := newCaller(peer, ln.Addr().String(), n.auth)
	call.client.MaxConns = 1
	first := make(chan error, 1)
	go func() {
		_, err := call.post(commandPath, nil, 20*time.Second)
		first <- err
	}()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call.post(commandPath, nil, 20*time.Second); err == nil || !neverTaken(err) {
		t.Errorf("without a free connection: %v", err)
	}
	_ = conn.Close()
	if err := <-first; err == nil || neverTaken(err) {
		t.Errorf("a connection that ends: %v", err)
	}
}

// R10: no more than so many commands are under way to one owner; what gets no turn in time was never sent.
func TestR10_CommandsUnderWayToAnOwnerAreBounded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) { cfg.OwnerTimeout = 50 * time.Millisecond })
	owner, other := c.nodes[0], c.nodes[1]
	key := owner.keyOf("k", 0)
	l := other.links.get(owner.id)
	for range commandsUnderWay {
		l.turns <- struct{}{}
	}
	if _, err := other.Change(setTo(key, 5)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	<-l.turns
	eventually(t, func() error {
		_, err := other.Change(setTo(key, 6))
		return err
	})
	if n := len(l.turns); n != commandsUnderWay-1 {
		t.Errorf("%d turns are taken", n)
	}
	c.exact(map[string]int64{key: 6})
}
