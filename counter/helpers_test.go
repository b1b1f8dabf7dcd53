package counter

import (
	"errors"
	"testing"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var (
	me    = Origin{1}
	other = Origin{2}
	third = Origin{3}
)

// free is an owner's limits that nothing reaches.
var free = Limits{MaxDirty: 1 << 20, MaxClean: 1 << 20}

// follower returns a partition at the node self whose owner is another node since epoch 1, and knows it.
func follower(self, owner Origin) *Partition {
	p := New(7, self)
	p.Learn(owner, 1)
	return p
}

// owner returns a partition at the node self that it owns since epoch 1, with the ledger of the store.
func owner(self Origin, ledger map[Origin]uint64) *Partition {
	p := New(7, self)
	p.Acquire(1, ledger, []Origin{me, other, third}, nil)
	return p
}

// add accepts an increment and fails the test when the partition refuses.
func add(t tester, p *Partition, key string, delta int64) Added {
	t.Helper()
	a, err := p.Add(Hash(key), key, delta)
	if err != nil {
		t.Fatalf("add %d to %s: %v", delta, key, err)
	}
	return a
}

// await accepts an increment of which the caller waits for the evidence and maybe the total.
func await(t tester, p *Partition, key string, delta int64, l Level, want bool) *Ticket {
	t.Helper()
	a := add(t, p, key, delta)
	ticket := &Ticket{Level: l, Done: make(chan struct{}, 1)}
	p.Wait(a.Number, ticket, want)
	return ticket
}

// next takes the next section, as it would be encoded.
func next(t tester, p *Partition, maxOps int) Section {
	t.Helper()
	s, ok := p.Next(maxOps)
	if !ok {
		t.Fatal("there is nothing to send")
	}
	s.Ops = append([]Op(nil), s.Ops...)
	return s
}

// deliver sends one section from an origin to an owner and its answer back.
func deliver(t tester, from, to *Partition) (Answer, Verdict) {
	t.Helper()
	s := next(t, from, 1<<10)
	a, _ := to.Handle(from.self, &s, free, false)
	a.Results = append([]OpResult(nil), a.Results...)
	return a, from.Take(s.Epoch, &a)
}

// flush freezes what there is and says that the store has it, with these values.
func flush(t tester, p *Partition, values ...Value) (Batch, []Progress) {
	t.Helper()
	b, ok := p.Freeze()
	if !ok {
		t.Fatal("there is nothing to flush")
	}
	progress, _ := p.Done(b.Epoch, values, nil)
	return b, progress
}

// load lets an owner read keys from a store with these values and ledger rows.
func load(t tester, p *Partition, values map[string]int64, ledger map[Origin]uint64) {
	t.Helper()
	token, ok := p.BeginLoad()
	if !ok {
		t.Fatal("not the owner")
	}
	var keys []string
	for k := range values {
		keys = append(keys, k)
	}
	if !p.Loaded(token, &Snapshot{Wanted: Wanted{Keys: keys}, Values: values, Ledger: ledger}) {
		t.Fatal("what was read is not used")
	}
}

func total(t tester, p *Partition, key string, want int64) {
	t.Helper()
	if v, state := p.Total(Hash(key), key); state != Read || v != want {
		t.Fatalf("total of %s = %d (state %d), want %d", key, v, state, want)
	}
}

// done says whether the ticket's caller has been told. It may be asked once.
func done(t *Ticket) bool {
	select {
	case <-t.Done:
		return true
	default:
		return false
	}
}

func mustBeTold(t tester, ticket *Ticket) {
	t.Helper()
	if !done(ticket) {
		t.Fatal("the caller was not told")
	}
	if ticket.Err != nil {
		t.Fatalf("the caller was told: %v", ticket.Err)
	}
}

func mustBeRefused(t tester, ticket *Ticket) {
	t.Helper()
	if !done(ticket) || !errors.Is(ticket.Err, ErrOutOfRange) {
		t.Fatalf("the caller was not refused: %v", ticket.Err)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Fatalf("%s: no panic", what)
		}
	}()
	f()
}

// equal compares a value that a test has just got.
func equal[T comparable](t tester, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s = %v, want %v", what, got, want)
	}
}
