package node

import (
	"errors"
	"time"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Durability says which evidence must exist before an increment is answered (R7).
type Durability uint8

// Durability levels. DefaultDurability is the node's setting.
const (
	DefaultDurability Durability = iota
	Memory                       // the owner has applied it: every later read at any node sees it
	Disk                         // and the origin's log is fsynced
	Replica                      // and a second node holds it, also when origin and owner are one
	Database                     // its number is persisted in the store
)

// Increment is one request to add Delta to Key.
type Increment struct {
	Key        []byte // 1-512 bytes of UTF-8 without NUL; not kept after the call
	Delta      int64
	Durability Durability
	Return     bool // the caller wants the total just after it
	// ID is the request's idempotency key, 1-255 bytes; nil: none. An increment of Key with this ID is counted once within
	// the retention (R9). Not kept after the call.
	ID []byte
}

// Result of an accepted increment.
type Result struct {
	Total    int64
	HasTotal bool // Total is set: asked for, and known
	// Later: the owner was not reached in time. The increment is held by this node and will be counted once.
	Later bool
	// Replayed: an earlier increment of the same key and ID was counted; this one adds nothing and tells that one's total.
	Replayed bool
}

// Outcome is what became of one increment of many.
type Outcome struct {
	Result Result
	Err    error
}

// Command is what a Change does to the total.
type Command = counter.Command

// Change is one request to change a counter by what depends on its total: the owner of the key looks at the total and accepts the
// operation in one step. Unlike an increment it is not held by the node that took it while the owner cannot be reached.
type Change struct {
	Key []byte // as of an Increment
	Command
	Durability Durability // of the owner; DefaultDurability is the owner's setting
	ID         []byte     // as of an Increment; what a bound refused does not use it up
}

// Changed is what a Change did. The total just after it is Before + Delta.
type Changed struct {
	Before   int64 // the total just before it; also with ErrOutOfBounds
	Delta    int64 // what was added
	Replayed bool  // an earlier one with the same key and ID was counted: these are its figures, and this one adds nothing
}

// Reading is a counter's total.
type Reading struct {
	Value int64
	// Stale: the lease could not be renewed (the store is down), so the total may be behind.
	Stale bool
}

// Detail is a counter's total beside what the store has of it.
type Detail struct {
	Reading
	Persisted    int64
	HasPersisted bool // false: the store could not be read
}

// Errors of the public calls. All of them mean "not accepted, not counted", but ErrDurabilityTimeout and ErrInDoubt.
var (
	ErrNotReady              = errors.New("this node is starting or stopping")
	ErrOverloaded            = errors.New("too many increments are waiting for the database")
	ErrUnreachable           = errors.New("the owner of this key cannot be reached")
	ErrOutOfRange            = errors.New("the total would leave the range of a 64-bit counter")
	ErrDurabilityTimeout     = errors.New("held and will be counted, but the asked durability was not reached in time")
	ErrDurabilityUnavailable = errors.New("this durability is not available on this node")
	ErrLogFailed             = errors.New("the log on disk has failed")
	ErrTooFewNodes           = errors.New("no second node is there to hold a copy")
	ErrIDReused              = errors.New("this idempotency key was used for another increment of this counter")
	ErrOutOfBounds           = errors.New("the total would pass the bound")
	ErrTooFar                = errors.New("the value is too far from the total for one change of 64 bits")
	ErrInDoubt               = errors.New("it may have been counted, or may be yet: no answer came in time, or not the asked durability")
)

// ClusterStatus is what one node knows of the whole cluster.
type ClusterStatus struct {
	Cluster     string
	Node        string // name of the answering node
	RingVersion string // digest of members and settings: equal on nodes that agree
	Partitions  int
	Unowned     int // partitions without a live owner
	Settling    int // own partitions that await answered operations
	Pending     int // operations of this node that the store does not have yet
	PendingAge  time.Duration
	StoreOK     bool
	Members     []MemberStatus
}

// MemberStatus is one process of the cluster.
type MemberStatus struct {
	ID         string
	Name       string
	HTTPAddr   string
	PeerAddr   string
	GossipAddr string
	Self       bool
	Alive      bool          // by gossip
	Draining   bool          // leaving: gets no partitions
	LeaseLeft  time.Duration // by the store; negative when it ran out
	Owned      int           // partitions
	Wanted     int           // partitions that the ring would give it
}
