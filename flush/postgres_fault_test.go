package flush_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// broken is a database that is reached directly, and through a proxy that breaks connections.
type broken struct {
	*fixture
	proxy  *pgtest.Proxy
	direct flush.Store
	far    flush.Store // through the proxy
}

func newBroken(t *testing.T, s *pgtest.Server) *broken {
	db := s.NewDatabase(t)
	b := &broken{
		fixture: &fixture{postgres: true, url: s.URL(db), query: func(t *testing.T, sql string) string {
			t.Helper()
			return s.Query(t, db, sql)
		}},
		proxy: pgtest.StartProxy(t, s.Addr()),
	}
	b.direct = b.open(t)
	far := &fixture{url: pgtest.URL(b.proxy.Addr(), db)}
	b.far = far.open(t)
	return b
}

// lock takes the counter's row in a session of its own, until the returned function is called.
func (b *broken) lock(t *testing.T, key string) (release func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), b.url)
	must(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	tx, err := c.Begin(t.Context())
	must(t, err)
	if _, err := tx.Exec(t.Context(), "select from counters where key = $1 for update", key); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		must(t, tx.Rollback(t.Context()))
	}
}

// awaitBlocked waits until n of our statements wait for locks.
func (b *broken) awaitBlocked(t *testing.T, n int) {
	t.Helper()
	const sql = `select count(*) from pg_stat_activity
		where datname = current_database() and application_name = 'pinocchio' and wait_event_type = 'Lock'`
	eventually(t, fmt.Sprint(n, " statements wait for a lock"), func() bool { return b.query(t, sql) == strconv.Itoa(n) })
}

// flushInBackground is apply for a goroutine that is not the test's.
func flushInBackground(t *testing.T, s flush.Store, r *flush.Request) {
	if res, err := s.Flush(t.Context(), r); err != nil || !res.Applied {
		t.Errorf("%+v, %v", res, err)
	}
}

// soon is a context for what must not have to wait.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func isUnknown(err error) bool {
	var nothing *flush.RetryError
	var data *flush.DataError
	return err != nil && !errors.As(err, &nothing) && !errors.As(err, &data)
}

func atTo(t *testing.T, res flush.Result, err error, r *flush.Request) {
	t.Helper()
	must(t, err)
	want := flush.Result{}
	for _, b := range r.Batches {
		for _, m := range b.Moves {
			want.Ledger = append(want.Ledger, flush.Mismatch{Partition: b.Partition, Origin: m.Origin, Number: m.To})
		}
	}
	if diff := cmp.Diff(want, sortedResult(res)); diff != "" {
		t.Fatal(diff)
	}
}

func TestPostgres_ReportsItsOwnEndWhenTheCommitsReplyWasLost_R3(t *testing.T) {
	b := newBroken(t, server)
	id := member(t, b.direct, 0)
	r := request(id, batch(0, id, 0, 5, "lost:key", 7))
	done := b.proxy.DropReply("lost:key")
	if res, err := b.far.Flush(t.Context(), r); !isUnknown(err) {
		t.Fatalf("got %+v, %v; want an unknown outcome", res, err)
	}
	<-done
	if v, _ := value(t, b.direct, "lost:key"); v != 7 {
		t.Fatalf("value %d: the proxy must let the commit happen", v)
	}
	res, err := b.far.Flush(t.Context(), r)
	atTo(t, res, err, r)
	if v, _ := value(t, b.direct, "lost:key"); v != 7 {
		t.Errorf("value %d", v)
	}
}

// The statement waits for a row, its client dies, the repetition waits for the statement, the row becomes free, the
// statement commits although nobody listens, and the repetition sees it.
func TestPostgres_WaitsForTheStatementOfADeadClientWhenRepeated_R3(t *testing.T) {
	b := newBroken(t, server)
	id, other := member(t, b.direct, 0, 1), join(t, b.direct, hour)
	apply(t, b.direct, request(id, batch(0, id, 0, 1, "late:key", 1)))
	release := b.lock(t, "late:key")

	// Also creates ledger rows: the repetition must see rows that were not there when it began.
	late := batch(0, id, 1, 5, "late:key", 10)
	late.Moves = append(late.Moves, flush.Move{Origin: other, From: 0, To: 3})
	r := request(id, late, batch(1, other, 0, 2, "new", 3))
	done := b.proxy.Abandon("late:key")
	if res, err := b.far.Flush(t.Context(), r); !isUnknown(err) {
		t.Fatalf("got %+v, %v; want an unknown outcome", res, err)
	}
	b.awaitBlocked(t, 1)
	if v, _ := value(t, b.direct, "late:key"); v != 1 {
		t.Fatalf("value %d", v)
	}
	var res flush.Result
	var err error
	var again sync.WaitGroup
	again.Go(func() { res, err = b.direct.Flush(t.Context(), r) })
	b.awaitBlocked(t, 2)
	release()
	<-done
	again.Wait()
	want := map[string]uint64{row(0, id): 5, row(0, other): 3, row(1, other): 2}
	if diff := cmp.Diff(want, ledgerMap(ledger(t, b.direct))); diff != "" {
		t.Fatalf("the abandoned statement should have committed: %s", diff)
	}
	must(t, err)
	if res.Applied || len(res.Ledger) != 3 {
		t.Fatalf("%+v", res)
	}
	for _, m := range res.Ledger {
		if want[row(m.Partition, m.Origin)] != m.Number || m.Refused {
			t.Errorf("%+v", m)
		}
	}
	if v, _ := value(t, b.direct, "late:key"); v != 11 {
		t.Errorf("value %d", v)
	}
}

// The late statement of an owner whose lease ran out: the claim waits for it, and the heir starts after it.
func TestPostgres_ClaimsAfterTheOldOwnersStatementEnded_R5(t *testing.T) {
	b := newBroken(t, server)
	zombie, heir := member(t, b.direct, 0), join(t, b.direct, hour)
	apply(t, b.direct, request(zombie, batch(0, zombie, 0, 1, "held", 1)))
	release := b.lock(t, "held")
	done := b.proxy.Abandon("held")
	if _, err := b.far.Flush(t.Context(), request(zombie, batch(0, zombie, 1, 2, "held", 1))); !isUnknown(err) {
		t.Fatal(err)
	}
	b.awaitBlocked(t, 1)
	_, err := b.direct.Renew(t.Context(), zombie, past)
	must(t, err)
	var won []flush.Ownership
	var errClaim error
	var claim sync.WaitGroup
	claim.Go(func() { won, errClaim = b.direct.Claim(t.Context(), heir, []flush.Ownership{owned(0, zombie, 1)}) })
	b.awaitBlocked(t, 2)
	if _, err := b.direct.Renew(soon(t), heir, hour); err != nil {
		t.Errorf("a claim that waits must not hold up its own renewals: %v", err)
	}
	release()
	<-done
	claim.Wait()
	must(t, errClaim)
	if len(won) != 1 || won[0] != owned(0, heir, 2) {
		t.Fatalf("won %v", won)
	}
	a, err := b.direct.Adopt(t.Context(), []uint32{0})
	must(t, err)
	if len(a.Ledger) != 1 || a.Ledger[0].Number != 2 {
		t.Errorf("the heir starts from %+v", a.Ledger)
	}
	res, err := b.direct.Flush(t.Context(), request(zombie, batch(0, zombie, 2, 3, "held", 1)))
	if err != nil || res.Applied || res.Owners[0] != owned(0, heir, 2) {
		t.Errorf("the old owner flushed: %+v, %v", res, err)
	}
}

func TestPostgres_LeavesNoDoubtInTheStoreWhenTheDeadlinePasses(t *testing.T) {
	b := newBroken(t, server)
	id := member(t, b.direct, 0)
	apply(t, b.direct, request(id, batch(0, id, 0, 1, "slow", 1)))
	release := b.lock(t, "slow")
	r := request(id, batch(0, id, 1, 2, "slow", 1))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if res, err := b.direct.Flush(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%+v, %v", res, err)
	}
	b.awaitBlocked(t, 0) // the server was told to cancel it
	release()
	apply(t, b.direct, r)
}

func TestPostgres_RenewsLeasesWhileFlushesHoldAllConnections(t *testing.T) {
	b := newBroken(t, server)
	narrow, err := flush.Open(t.Context(), b.url+"&pool_max_conns=1", settings, flush.Options{})
	must(t, err)
	defer func() { _ = narrow.Close() }()
	id := member(t, b.direct, 0, 1)
	apply(t, b.direct, request(id, batch(0, id, 0, 1, "held", 1)))
	release := b.lock(t, "held")
	var flushing sync.WaitGroup
	flushing.Go(func() { // it makes a ledger row too, for which it holds the origin's row
		flushInBackground(t, narrow, request(id, batch(0, id, 1, 2, "held", 1), batch(1, id, 0, 1)))
	})
	b.awaitBlocked(t, 1)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var nothing *flush.RetryError
	if err := narrow.Ping(short); !errors.As(err, &nothing) {
		t.Errorf("the only connection is in use, but got %v", err)
	}
	if _, err := narrow.Renew(soon(t), id, hour); err != nil {
		t.Error(err)
	}
	release()
	flushing.Wait()
}

// Two processes of one name register at once: the second waits until the first is there, or is not.
func TestPostgres_RegistersOneOfTwoWhenBothAreUnderWay(t *testing.T) {
	b := newBroken(t, server)
	c, err := pgx.Connect(t.Context(), b.url)
	must(t, err)
	defer func() { _ = c.Close(context.Background()) }()
	for _, commit := range []bool{false, true} {
		tx, err := c.Begin(t.Context())
		must(t, err)
		const register = "select pinocchio_register_v1(gen_random_uuid(), 'one', '', '', '', 3600000000)"
		if _, err := tx.Exec(t.Context(), register); err != nil {
			t.Fatal(err)
		}
		id := newID()
		var got error
		var second sync.WaitGroup
		second.Go(func() { got = b.direct.Register(t.Context(), flush.Node{ID: id, Name: "one"}, hour) })
		b.awaitBlocked(t, 1)
		if commit {
			must(t, tx.Commit(t.Context()))
		} else {
			must(t, tx.Rollback(t.Context()))
		}
		second.Wait()
		if taken := errors.Is(got, flush.ErrNameTaken); taken != commit || !taken && got != nil {
			t.Errorf("the first one committed: %v; the second one got %v", commit, got)
		}
		must(t, b.direct.CloseNode(t.Context(), id, true))
	}
}

// A process is closed while a flush is making its first ledger row: the row must not outlive it.
func TestPostgres_ClosesAProcessAfterTheFlushThatMakesItsLedgerRow(t *testing.T) {
	b := newBroken(t, server)
	id, leaving := member(t, b.direct, 0, 1), join(t, b.direct, hour)
	apply(t, b.direct, request(id, batch(0, id, 0, 1, "held", 1)))
	release := b.lock(t, "held")
	var both sync.WaitGroup
	both.Go(func() {
		flushInBackground(t, b.direct, request(id, batch(0, id, 1, 2, "held", 1), batch(1, leaving, 0, 1)))
	})
	b.awaitBlocked(t, 1)
	both.Go(func() {
		if err := b.direct.CloseNode(t.Context(), leaving, true); err != nil {
			t.Error(err)
		}
	})
	b.awaitBlocked(t, 2)
	release()
	both.Wait()
	if diff := cmp.Diff(map[string]uint64{row(0, id): 2}, ledgerMap(ledger(t, b.direct))); diff != "" {
		t.Error(diff)
	}
}

// The driver winds up a connection of which nothing is heard for up to 15 s: it must not count as one of ours meanwhile.
func TestPostgres_LosesNoPlaceInThePoolWhenTheNetworkForgetsConnections(t *testing.T) {
	b := newBroken(t, server)
	id := member(t, b.direct, 0)
	const more = 6 // than the pool of leases has
	for range more {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := b.far.Renew(ctx, id, hour)
		cancel()
		must(t, err)
		b.proxy.StallPresent()
		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = b.far.Renew(ctx, id, hour)
		cancel()
		if !isUnknown(err) {
			t.Fatalf("a renewal through a dead connection: %v", err)
		}
	}
}

// A flusher under load, while its connections are cut, stall, and lose the replies of commits.
func TestPostgres_CountsExactlyWhileConnectionsBreak_R3(t *testing.T) {
	b := newBroken(t, server)
	f := startFlusher(t, b.far, member(t, b.direct, allPartitions()...))
	r := newRand(1)
	for round := range 30 {
		f.load(r, 200)
		switch round % 5 {
		case 0:
			b.proxy.Cut()
		case 1:
			<-b.proxy.DropReply("load:")
		case 2:
			b.proxy.Refuse(true)
			f.load(r, 20)
			b.proxy.Refuse(false)
		case 3:
			b.proxy.Stall(true)
			f.load(r, 20)
			b.proxy.Cut()
			b.proxy.Stall(false)
		case 4:
			<-b.proxy.Abandon("load:")
		}
	}
	f.check(b.fixture)
	if f.hooks.unknown == 0 || f.hooks.resolved == 0 {
		t.Errorf("no unknown outcome was resolved: %+v", f.hooks)
	}
}

func TestPostgres_CountsExactlyWhenTheServerIsKilled_R3(t *testing.T) {
	s := pgtest.Start(t)
	b := newBroken(t, s)
	f := startFlusher(t, b.direct, member(t, b.direct, allPartitions()...))
	r := newRand(2)
	for range 3 {
		f.load(r, 500)
		f.flusher.Kick()
		s.Kill9()
		f.load(r, 500)
		must(t, s.Restart())
	}
	f.check(b.fixture)
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

// loaded is a flusher over a real store, and what it was given.
type loaded struct {
	t       *testing.T
	source  *testSource
	flusher *flush.Flusher
	hooks   counted
	want    map[string]int64
	stop    func()
}

func startFlusher(t *testing.T, s flush.Store, id [16]byte) *loaded {
	l := &loaded{t: t, source: newTestSource(t), want: map[string]int64{}}
	l.source.origin, l.source.withIDs = id, true
	l.flusher = flush.NewFlusher(s, id, l.source, flush.FlusherOptions{
		Interval: 5 * time.Millisecond, MaxKeys: 40, Timeout: 2 * time.Second, MinBackoff: time.Millisecond, Hooks: l.hooks.hooks(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = l.flusher.Run(ctx) })
	l.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(l.stop)
	return l
}

// load adds n operations.
func (l *loaded) load(r *rand.Rand, n int) {
	for range n {
		p := uint32(r.IntN(partitions))
		key, delta := fmt.Sprintf("load:%d:%d", p, r.IntN(20)), int64(r.IntN(100)-20)
		l.source.add(p, key, delta)
		l.want[key] += delta
	}
}

// check waits for the last flush and compares the table with what was added.
func (l *loaded) check(f *fixture) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	must(l.t, l.flusher.Flush(ctx))
	l.stop()
	got := map[string]int64{}
	store := f.open(l.t)
	page, err := store.List(l.t.Context(), "load:", "", 10_000)
	must(l.t, err)
	for _, kv := range page {
		got[kv.Key] = kv.Value
	}
	if diff := cmp.Diff(l.want, got); diff != "" {
		l.t.Error(diff)
	}
	for _, e := range l.source.done() {
		if e.Verdict != flush.Committed {
			l.t.Errorf("%+v", e.Outcome)
		}
	}
	operations := uint64(0)
	for _, r := range ledger(l.t, store) {
		operations += r.Number
		if r.Number != l.source.numbers[r.Partition] {
			l.t.Errorf("partition %d is persisted up to %d of %d", r.Partition, r.Number, l.source.numbers[r.Partition])
		}
	}
	// Each operation left its record and its part of the sum, in the statement that counted it (R9).
	if n := f.recorded(l.t); n != fmt.Sprint(operations) {
		l.t.Errorf("%s idempotency keys of %d operations", n, operations)
	}
	balanced(l.t, store)
}
