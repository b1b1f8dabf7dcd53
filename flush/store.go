package flush

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Store is where counters, ledger, leases and ownership live. All times are the store's own clock; a caller only
// ever sees durations. Methods are safe for concurrent use. A *RetryError means that nothing was written and that the
// same call may succeed later. An error that is none of this package's means that the outcome is unknown: the
// statement may have been applied, now or a little later.
type Store interface {
	// Register adds the process n with a lease of ttl from now. ErrNameTaken when another process of that name
	// holds an unexpired lease.
	Register(ctx context.Context, n Node, ttl time.Duration) error
	// Renew extends the lease of id to ttl from now and returns the view read in the same transaction, after the renewal.
	// ErrClosed when the process was closed: it must stop counting, for ever. ErrMissing when the store has never heard of
	// it, as after a restore from before its registration: it may register again.
	Renew(ctx context.Context, id uuid.UUID, ttl time.Duration) (View, error)
	// View reads all processes that are not closed and all partitions' owners, in one snapshot.
	View(ctx context.Context) (View, error)
	// SetDraining marks id as leaving: it keeps its lease, but nobody should give it partitions.
	SetDraining(ctx context.Context, id uuid.UUID) error
	// Claim makes id the owner of each partition that still stands at the given owner and epoch, and whose owner
	// is none (uuid.Nil), closed, missing, or has a lease that ran out. The epoch grows by one. It returns what id
	// owns now, with the new epochs; what is absent was not won. Never claims for an id without a live lease.
	Claim(ctx context.Context, id uuid.UUID, want []Ownership) ([]Ownership, error)
	// Reclaim makes id the owner of each partition that still stands at the given owner and epoch, whatever that owner's
	// lease, at the epoch Above+1: for a store that went back in time. It returns what id owns now; what is absent was not
	// won. Never reclaims for an id without a live lease. ErrRequest when an Above is not greater than its Epoch:
	// nothing would prove that the store lost anything.
	Reclaim(ctx context.Context, id uuid.UUID, want []Reclaim) ([]Ownership, error)
	// Adopt reads in one snapshot what a new owner starts from: the ledger rows of the partitions, and every
	// process that is not closed (with the lease left, negative when it ran out).
	Adopt(ctx context.Context, partitions []uint32) (Adoption, error)
	// Flush applies the request in one statement, or writes nothing and says in the Result what did not match.
	// A *DataError means that the database refused the data for good and that nothing was written.
	Flush(ctx context.Context, r *Request) (Result, error)
	// Read returns the values of the keys and the records of the ids (absent ones are missing from the maps), and the
	// ledger rows of the partitions, in one snapshot (R8, R9). A record is present as long as it stands, expired or not.
	Read(ctx context.Context, keys []string, partitions []uint32, ids []IDRef) (Snapshot, error)
	// List returns at most limit counters whose key starts with prefix and is greater than after, in key order (bytes).
	List(ctx context.Context, prefix, after string, limit int) ([]KeyValue, error)
	// CloseNode ends the process id for ever: a tombstone that refuses whatever comes late. With persisted true
	// (all its operations are in the store) its ledger rows are deleted as well; otherwise they stay.
	CloseNode(ctx context.Context, id uuid.UUID, persisted bool) error
	// Expire deletes what no longer protects anything: ledger rows and tombstones of processes that closed, or whose lease
	// ran out, more than retention ago. Returns the number of processes removed.
	Expire(ctx context.Context, retention time.Duration) (int, error)
	// ExpireIDs deletes at most limit records of idempotency keys that have expired, and returns how many: fewer than
	// limit when no more is due. Records that were good when a process registered that has vanished since (its lease ran
	// out, nobody closed it) stay until it is back, closed or expired: its log may return, and an operation of it whose id
	// was counted from elsewhere would count twice if the record were gone.
	ExpireIDs(ctx context.Context, limit int) (int, error)
	// Audit adds everything up, in one snapshot. It reads all counters.
	Audit(ctx context.Context) (AuditReport, error)
	// ClusterID is the random name that this store got when it was created: two stores of equal settings differ in it.
	ClusterID() uuid.UUID
	// Ping returns nil when the store answers.
	Ping(ctx context.Context) error
	// Close releases all connections.
	Close() error
}

// Settings are a cluster's fixed properties (cluster_meta). The first node writes them; a node that differs is refused.
type Settings struct {
	Cluster    string // the cluster's name
	Partitions uint32 // count of partitions
	Hash       string // key hash, for example "xxhash64"
	Ring       string // ring algorithm and its parameters
}

// Node is one process of the cluster.
type Node struct {
	ID         uuid.UUID // the origin: a UUIDv7, new at each start
	Name       string    // stable across restarts
	HTTPAddr   string    // host:port for clients
	PeerAddr   string    // host:port for the other nodes' batches
	GossipAddr string    // host:port for gossip
}

// NodeState is a process as the store sees it.
type NodeState struct {
	Node
	LeaseLeft time.Duration // until the lease ends by the store's clock; negative when it ran out
	Draining  bool
}

// Ownership says that Owner (uuid.Nil: nobody yet) owns Partition since Epoch.
type Ownership struct {
	Partition uint32
	Owner     uuid.UUID
	Epoch     uint64
}

// Reclaim asks for a partition of a store that went back in time: Above is the highest epoch of it that is known to
// have been given out, greater than the Epoch at which the store has it now.
type Reclaim struct {
	Ownership
	Above uint64
}

// View is a snapshot of the cluster: processes that are not closed, and one Ownership for each partition, in order.
type View struct {
	Nodes  []NodeState
	Owners []Ownership
}

// LedgerRow says that the counters contain the operations 1..Number of Origin in Partition.
type LedgerRow struct {
	Partition uint32
	Origin    uuid.UUID
	Number    uint64
}

// Adoption is what a new owner starts from.
type Adoption struct {
	Ledger []LedgerRow
	Nodes  []NodeState
}

// Snapshot is the answer of Read.
type Snapshot struct {
	Values map[string]int64
	Ledger []LedgerRow
	IDs    map[IDRef]IDRow
}

// IDRef names the record of an idempotency key: ID, of 1 to 255 bytes, as used on the counter Key.
type IDRef struct{ Key, ID string }

// IDRow is the record of an idempotency key (R9): the operation with this ID was counted in Key.
type IDRow struct {
	Key, ID     string
	Fingerprint uint64 // of the operation: to tell a repetition from another operation with the same id
	Result      int64  // what the operation was answered
}

// Ref returns the row's name.
func (r *IDRow) Ref() IDRef { return IDRef{r.Key, r.ID} }

// KeyValue is a counter with its persisted value.
type KeyValue struct {
	Key   string
	Value int64
}

// Batch is what one partition has to flush. Its content never changes once made: after an unknown outcome it is sent
// again as it is, alone or together with other partitions' batches. Deltas or IDs without a move are refused: nothing
// would prove later whether they had been applied.
type Batch struct {
	Partition uint32
	Epoch     uint64
	NewOwner  uuid.UUID // not uuid.Nil: hand the partition over, at Epoch+1, in the same statement
	Moves     []Move
	Deltas    []Delta
	IDs       []IDRow // recorded in the same statement, also those of keys in quarantine
}

// Move takes a ledger row of the batch's partition from From to To. From 0 creates the row when it is missing, unless the
// origin is closed or unknown.
type Move struct {
	Origin   uuid.UUID
	From, To uint64
	Sum      int64 // of the deltas of the operations From+1 .. To, modulo 2^64; for the audit
}

// Delta is the sum to add to a key. Keys are unique within a batch. A sum of zero still creates the counter.
type Delta struct {
	Key   string
	Delta int64
}

// Request is one statement's worth of batches. Partitions, and so keys and IDs, are unique within it. Its order is that of
// Batches, and of Deltas within each, without those in Quarantine.
type Request struct {
	Node    uuid.UUID // the owner that flushes
	Batches []Batch
	// Quarantine names the keys whose deltas go to the quarantine table instead of the counters, while the
	// ledger moves all the same.
	Quarantine map[string]string // key -> reason
	// KeepIDs is how long the Batches' IDs are kept, from now by the store's clock. Not 0 when there are any.
	KeepIDs time.Duration
	// DryRun executes everything and rolls back: to find the deltas that the database refuses.
	DryRun bool
}

// Result of a flush. Applied false: nothing was written, and Owners and Ledger hold, for the partitions and moves
// that did not match, what stands in the store. When all of these match, IDs says what was in the way.
type Result struct {
	Applied bool
	Values  []KeyValue  // when applied: each counter written, with its new value, in the request's order (see Request)
	Owners  []Ownership // each partition of the request that is not owned by Node at its epoch, as it stands
	Ledger  []Mismatch  // each move whose row does not stand at From
	IDs     []IDRef     // each of the request's IDs that has a record already, which has not expired
}

// Mismatch is a move that did not fit: its row stands at Number (0 when there is none), or its origin may not have one.
type Mismatch struct {
	Partition uint32
	Origin    uuid.UUID
	Number    uint64
	Refused   bool // the row is missing and the origin is closed or unknown: it will never have one
}

// Errors that callers tell apart with errors.Is.
var (
	ErrNameTaken = errors.New("another live node has this name")
	ErrClosed    = errors.New("this process was closed in the store")
	ErrMissing   = errors.New("the store does not know this process: it went back to an earlier state")
)

// SettingsError is returned by Open when the store belongs to a cluster with other settings.
type SettingsError struct{ Diff []string } // one sentence for each difference

// Error implements error.
func (e *SettingsError) Error() string {
	return "the store belongs to a cluster with other settings: " + strings.Join(e.Diff, ", ")
}

// RetryError says that nothing was written, and that the reason may pass: no connection could be made, a lock was not
// granted, the server is in recovery, the transaction lost against another one.
type RetryError struct{ Err error }

// Error implements error.
func (e *RetryError) Error() string { return fmt.Sprintf("nothing was written: %v", e.Err) }

// Unwrap returns the driver's error.
func (e *RetryError) Unwrap() error { return e.Err }

// SchemaError is returned by Open when the store's schema was made by a newer release than this one; and, with Options.Existing,
// by an older one, or by none (Have 0).
type SchemaError struct{ Have, Known int } // versions: the store's, and the newest that this program knows

// Error implements error.
func (e *SchemaError) Error() string {
	switch {
	case e.Have == 0:
		return "there is no cluster in this store, and none is made by only looking at it: check the URL, or start a node on it first"
	case e.Have < e.Known:
		return fmt.Sprintf("the store has schema version %d and this program %d, to which it is not raised by only looking at it: "+
			"use the release that the nodes have, or start a node of this release first", e.Have, e.Known)
	}
	return fmt.Sprintf("the store has schema version %d, this program knows only %d: use a newer release", e.Have, e.Known)
}

// DataError says that the database can never take this data (SQLSTATE class 22 or 23, a trigger's exception ...).
// Nothing was written.
type DataError struct {
	Code string // SQLSTATE, or the SQLite equivalent
	Err  error
}

// Error implements error.
func (e *DataError) Error() string {
	return fmt.Sprintf("the database refuses the data (%s): %v", e.Code, e.Err)
}

// Unwrap returns the driver's error.
func (e *DataError) Unwrap() error { return e.Err }

// Source is the owner of the deltas: the node. The flusher calls it from one goroutine.
type Source interface {
	// Freeze returns the batches of the partitions that have something to flush (or to hand over) and have none
	// under way. The flusher owns them until it calls Done for each.
	Freeze() []Batch
	// Done tells how a batch ended. It is called exactly once for each frozen batch, also when the flusher stops
	// (with Unresolved).
	Done(b Batch, o Outcome)
}

// Verdict is how a batch ended.
type Verdict uint8

// Verdicts.
const (
	Unresolved Verdict = iota // the flusher stopped before the store answered: may or may not be applied
	Committed                 // applied, now or by an earlier try whose outcome was unknown
	NotOwner                  // the partition belongs to somebody else, or to a later epoch: the new owner's ledger says what was applied
	Conflict                  // still the owner, but a ledger row stands at neither end of its move, or an ID is taken: the store is not as it was
)

// Outcome of a batch.
type Outcome struct {
	Verdict     Verdict
	Values      []KeyValue // Committed: new values where the answer arrived; nil when resolved from the ledger
	Quarantined []Delta    // Committed: these were set aside and are not in the counters
	Owner       Ownership  // NotOwner: as it stands
	Ledger      []Mismatch // Conflict: as it stands
	IDs         []IDRef    // Conflict: recorded by somebody else
}
