package flush_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// conformance is what every store must do. Each test gets a store of its own.
var conformance = []struct {
	name string
	test func(*testing.T, *fixture)
}{
	{"Open_GivesEveryPartitionNoOwnerWhenTheStoreIsEmpty", testOpenEmpty},
	{"Open_NamesEachDifferenceWhenSettingsDiffer", testOpenOtherSettings},
	{"Open_RefusesWhenTheSchemaIsNewer", testOpenNewerSchema},
	{"Open_RefusesWhenSettingsAreImpossible", testOpenBadSettings},
	{"Open_MigratesOnceWhenManyOpenAtOnce", testOpenConcurrently},
	{"Close_EndsAllCallsWhenClosed", testCallsAfterClose},
	{"Register_HoldsTheNameWhileTheLeaseLives", testRegister},
	{"Register_HasOneWinnerWhenManyTakeOneName", testRegisterConcurrently},
	{"Renew_ExtendsTheLeaseAndReturnsTheView", testRenew},
	{"Renew_TellsClosedFromMissing", testRenewClosed},
	{"SetDraining_ShowsInTheView", testSetDraining},
	{"Claim_TakesOnlyWhatNobodyAliveOwns", testClaim},
	{"Claim_WinsNothingWhenTheClaimerHasNoLease", testClaimWithoutLease},
	{"Claim_AnswersAgainWhenRepeated", testClaimRepeated},
	{"Claim_HasOneWinnerWhenManyClaimOnePartition", testClaimConcurrently},
	{"Claim_LosesOrShowsWhenTheOwnerRenewsAtOnce", testClaimAgainstRenew},
	{"Flush_AddsDeltasAndMovesTheLedger", testFlush},
	{"Flush_ReturnsValuesInTheOrderOfTheRequest", testFlushOrder},
	{"Flush_CreatesTheCounterWhenTheDeltaIsZero", testFlushZero},
	{"Flush_WritesNothingWhenTheOwnerOrEpochDiffers", testFlushNotOwner},
	{"Flush_WritesNothingWhenALedgerRowDiffers", testFlushLedgerDiffers},
	{"Flush_ReportsItsOwnEndWhenRepeated_R3", testFlushRepeated},
	{"Flush_HandsThePartitionOverInTheSameStatement", testFlushHandOver},
	{"Flush_RefusesRowsWhenTheOriginIsClosedOrUnknown", testFlushRefused},
	{"Flush_MovesTheRowsThatAnOriginLeftWhenItVanished", testFlushClosedOriginsRow},
	{"Flush_AppliesOnceWhenTwoEpochsRace_R5", testFlushRace},
	{"Flush_AppliesEachOnceWhenManySendTheSame_R3", testFlushSameConcurrently},
	{"Flush_RefusesMalformedRequests", testFlushMalformed},
	{"Flush_RefusesSumsOutsideInt64", testFlushOverflow},
	{"Flush_RefusesKeysThatAreNotText", testFlushNotText},
	{"Flush_RefusesWhatATriggerRefuses", testFlushTrigger},
	{"Flush_RefusesWhatATriggerDrops", testFlushTriggerDrops},
	{"Flush_WritesNothingWhenATriggerDropsALedgerRow_R3", testFlushTriggerDropsMove},
	{"Flush_SetsDeltasAsideWhenQuarantined", testFlushQuarantine},
	{"Flush_ChangesNothingWhenDry", testFlushDry},
	{"Flush_WritesNothingWhenItsContextHasEnded", testFlushContextEnded},
	{"Flush_TakesALargeRequest", testFlushLarge},
	{"Flush_RecordsIdempotencyKeys_R9", testIDs},
	{"Flush_NamesTheIdempotencyKeysThatAreTaken_R9", testIDsTaken},
	{"Flush_OverwritesIdempotencyKeysThatExpired_R9", testIDsExpired},
	{"Flush_RecordsIdempotencyKeysOnlyWithTheirDeltas_R9", testIDsAtomic},
	{"Flush_RefusesMalformedIdempotencyKeys", testIDsMalformed},
	{"Flush_RecordsAnIdempotencyKeyOnceWhenManyTry_R9", testIDsConcurrently},
	{"ExpireIDs_DeletesWhatExpiredInChunks", testExpireIDs},
	{"ExpireIDs_KeepsWhatAVanishedProcessMayNeed_R9", testExpireIDsVanished},
	{"Audit_BalancesAfterAnyMixOfWrites_R4", testAuditMix},
	{"Audit_ReportsEachOrigin", testAuditOrigins},
	{"Audit_ShowsWhatWasChangedByHand", testAuditTampered},
	{"Audit_BalancesWhileOthersWrite_R4", testAuditWhileWriting},
	{"Reclaim_TakesBackWhatTheStoreForgot_R6", testReclaim},
	{"Reclaim_WinsNothingWhenTheClaimerHasNoLease", testReclaimWithoutLease},
	{"Reclaim_RefusesWithoutProof", testReclaimWithoutProof},
	{"Reclaim_AnswersAgainWhenRepeated", testReclaimRepeated},
	{"Register_WorksAgainWhenTheStoreForgot_R6", testRegisterMissing},
	{"Renew_SaysClosedOfAProcessThatExpired", testRenewExpired},
	{"ClusterID_IsOfTheStore", testClusterID},
	{"Open_UpgradesThePreviousRelease", testUpgrade},
	{"Open_ChangesNothingWhenTheStoreMustExist", testOpenExisting},
	{"CloseNode_RemovesTheRowsOnlyWhenPersisted", testCloseNode},
	{"Expire_RemovesWhatClosedOrVanishedLongAgo", testExpire},
	{"Read_ReturnsValuesWithTheirLedger_R8", testRead},
	{"Read_SeesValueAndLedgerOfOneMomentWhileFlushesRun_R8", testReadSnapshot},
	{"Adopt_ReturnsLedgerAndProcesses", testAdopt},
	{"List_PagesInByteOrder", testList},
	{"List_TakesThePrefixLiterally", testListPrefix},
}

func TestStore(t *testing.T) {
	stores := map[string]func(*testing.T) *fixture{
		"postgres": func(t *testing.T) *fixture { return newPostgresFixture(t, "") },
		// As behind a pooler that does not track prepared statements.
		"postgres-exec": func(t *testing.T) *fixture { return newPostgresFixture(t, "&default_query_exec_mode=exec") },
		"sqlite":        newSQLiteFixture,
	}
	for name, fresh := range stores {
		t.Run(name, func(t *testing.T) {
			for _, c := range conformance {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.test(t, fresh(t))
				})
			}
		})
	}
}

const partitions = 8

var settings = flush.Settings{Cluster: "test", Partitions: partitions, Hash: "xxhash64", Ring: "ring v1"}

// fixture is an empty store of a test's own, and a way around it.
type fixture struct {
	postgres bool
	url      string
	query    func(t *testing.T, sql string) string // rows a line, columns separated by |
}

func newPostgresFixture(t *testing.T, parameters string) *fixture {
	db := server.NewDatabase(t)
	return &fixture{postgres: true, url: server.URL(db) + parameters, query: func(t *testing.T, sql string) string {
		t.Helper()
		return server.Query(t, db, sql)
	}}
}

func newSQLiteFixture(t *testing.T) *fixture {
	path := filepath.Join(t.TempDir(), "made by open", "a #1?%20.db") // a path is not a URL
	return &fixture{url: "sqlite:" + path, query: func(t *testing.T, text string) string {
		t.Helper()
		out, err := querySQLite(path, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}}
}

// querySQLite runs SQL on a connection of its own, as another program would.
func querySQLite(path, text string) (string, error) {
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(20000)")
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query(text)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var lines []string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		var line []string
		for _, c := range cells {
			line = append(line, c.String)
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// open opens the fixture's store until the test ends.
func (f *fixture) open(t *testing.T) flush.Store {
	t.Helper()
	store, err := flush.Open(t.Context(), f.url, settings, flush.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// sql picks the dialect's text.
func (f *fixture) sql(postgres, sqlite string) string {
	if f.postgres {
		return postgres
	}
	return sqlite
}

// owned is an Ownership.
func owned(partition uint32, owner uuid.UUID, epoch uint64) flush.Ownership {
	return flush.Ownership{Partition: partition, Owner: owner, Epoch: epoch}
}

const (
	hour = time.Hour
	// A lease that has run out when it begins: the way to an expired lease without waiting.
	past = -time.Hour
)

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// join registers a process with a lease.
func join(t *testing.T, s flush.Store, ttl time.Duration) uuid.UUID {
	t.Helper()
	id := newID()
	n := flush.Node{ID: id, Name: "node-" + id.String(), HTTPAddr: "h:1", PeerAddr: "p:2", GossipAddr: "g:3"}
	must(t, s.Register(t.Context(), n, ttl))
	return id
}

// own makes id the owner of partitions that nobody owns, at epoch 1.
func own(t *testing.T, s flush.Store, id uuid.UUID, partitions ...uint32) {
	t.Helper()
	var want []flush.Ownership
	for _, p := range partitions {
		want = append(want, flush.Ownership{Partition: p})
	}
	won, err := s.Claim(t.Context(), id, want)
	must(t, err)
	if len(won) != len(partitions) {
		t.Fatalf("won %v of %v", won, partitions)
	}
}

// member is join and own in one.
func member(t *testing.T, s flush.Store, partitions ...uint32) uuid.UUID {
	t.Helper()
	id := join(t, s, hour)
	own(t, s, id, partitions...)
	return id
}

// batch moves one origin's row of a partition at epoch 1, with deltas key, value, key, value, ...
func batch(partition uint32, origin uuid.UUID, from, to uint64, deltas ...any) flush.Batch {
	b := flush.Batch{Partition: partition, Epoch: 1, Moves: []flush.Move{{Origin: origin, From: from, To: to}}}
	for i := 0; i < len(deltas); i += 2 {
		b.Deltas = append(b.Deltas, flush.Delta{Key: deltas[i].(string), Delta: toInt64(deltas[i+1])})
	}
	return b
}

func toInt64(v any) int64 {
	if n, ok := v.(int); ok {
		return int64(n)
	}
	return v.(int64)
}

func request(node uuid.UUID, batches ...flush.Batch) *flush.Request {
	return &flush.Request{Node: node, Batches: batches}
}

// apply flushes and expects it to be applied.
func apply(t *testing.T, s flush.Store, r *flush.Request) flush.Result {
	t.Helper()
	res, err := s.Flush(t.Context(), r)
	must(t, err)
	if !res.Applied {
		t.Fatalf("not applied: %+v", res)
	}
	return res
}

// refused flushes and expects that nothing was written.
func refused(t *testing.T, s flush.Store, r *flush.Request) flush.Result {
	t.Helper()
	before := contents(t, s)
	res, err := s.Flush(t.Context(), r)
	must(t, err)
	if res.Applied {
		t.Fatal("applied")
	}
	if after := contents(t, s); after != before {
		t.Fatalf("written although refused:\nbefore %s\nafter  %s", before, after)
	}
	return res
}

// unchanged flushes and expects this SQLSTATE and that nothing was written.
func unchanged(t *testing.T, s flush.Store, r *flush.Request, code string) {
	t.Helper()
	before := contents(t, s)
	res, err := s.Flush(t.Context(), r)
	var data *flush.DataError
	if !errors.As(err, &data) || data.Code != code {
		t.Fatalf("got %+v, %v; want a DataError %s", res, err, code)
	}
	if after := contents(t, s); after != before {
		t.Fatalf("written although refused:\nbefore %s\nafter  %s", before, after)
	}
}

// contents describes counters, ledger and owners.
func contents(t *testing.T, s flush.Store) string {
	t.Helper()
	page, err := s.List(t.Context(), "", "", 1000)
	must(t, err)
	v, err := s.View(t.Context())
	must(t, err)
	return fmt.Sprintf("counters %v, ledger %v, owners %v", page, ledger(t, s), v.Owners)
}

func allPartitions() (all []uint32) {
	for p := range uint32(partitions) {
		all = append(all, p)
	}
	return all
}

// ledger returns all ledger rows.
func ledger(t *testing.T, s flush.Store) []flush.LedgerRow {
	t.Helper()
	a, err := s.Adopt(t.Context(), allPartitions())
	must(t, err)
	return a.Ledger
}

// value returns a counter's value and whether it exists.
func value(t *testing.T, s flush.Store, key string) (int64, bool) {
	t.Helper()
	snap, err := s.Read(t.Context(), []string{key}, nil, nil)
	must(t, err)
	v, ok := snap.Values[key]
	return v, ok
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until the condition holds: for what no event tells.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
