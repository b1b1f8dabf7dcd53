package history

import "fmt"

// Kind of a call.
type Kind uint8

// Kinds.
const (
	Add    Kind = iota // an increment
	Total              // a read of the total
	Stored             // a read of what the table has of the counter
)

func (k Kind) String() string { return [...]string{"add", "total", "stored"}[k] }

// Level is a durability.
type Level uint8

// Levels, the weakest first.
const (
	Memory Level = iota
	Disk
	Replica
	Database
	Levels // their number
)

func (l Level) String() string { return [...]string{"memory", "disk", "replica", "database"}[l] }

// Outcome is what a client knows after a call.
type Outcome uint8

// Outcomes.
const (
	Answered Outcome = iota // with success: an increment counts, a read has a value
	Later                   // "Counted: later": the increment is held and counts once
	Held                    // 504: held and counts, but not as durable as asked
	Refused                 // nothing was counted
	Unknown                 // no answer, or one that says nothing
)

func (o Outcome) String() string {
	return [...]string{"answered", "later", "held", "refused", "unknown"}[o]
}

// Life is one process of a node, from its start to its end.
type Life struct {
	Node int // place
	Nth  int // process of this place, from 1
}

func (l Life) String() string { return fmt.Sprintf("n%d.%d", l.Node+1, l.Nth) }

// Call is one request and what came of it.
type Call struct {
	Kind       Kind
	Level      Level // asked for, of an increment
	Outcome    Outcome
	Key        string
	Op         int64 // number of the increment; retries under one idempotency key share it
	Idempotent bool
	Replayed   bool // the node says that an earlier one was counted
	Stale      bool // the node says that the value may be behind
	HasValue   bool
	Delta      int64
	Value      int64
	Life       Life // process that was asked
	Status     int  // 0: no answer
	Start, End int64
}
