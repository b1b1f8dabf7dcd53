package sim

import (
	"fmt"
	"strings"
)

// mark names a rare path of the protocol, or a fault that leads there.
type mark int

// Marks counts how often each was taken.
type Marks [marks]int

const (
	markRepeated mark = iota
	markLateStatement
	markCrash
	markLostByCrash
	markPause
	markZombie
	markLeave
	markOutage
	markCut
	markRetry
	markDuplicate
	markOverlap
	markStaleAnswer
	markRewind
	markOvertaken
	markMoved
	markBusy
	markUnknown
	markLoading
	markInPart
	markNoLoad
	markDoubt
	markResolved
	markHandOver
	markHandOverUnheard
	markNotOwner
	markIgnoredDone
	markTakeOver
	markTakeOverUnheard
	markSettleWait
	markSettledByHello
	markSettledByLease
	markReleaseWaits
	markUnawaited
	markLoadRetry
	markLoadIncluded
	markEvicted
	markCombined
	markTotalApart
	markOutOfRangeHere
	markOutOfRangeThere
	markOutOfRangeUnheard
	markOutOfRangeLater
	markPromised
	markQuarantine
	markQuarantineLoad
	markDatabase
	markForgotten
	markColdRead
	markReadMoved
	markReadSettle
	markLogTorn
	markLogReplay
	markLogMore
	markLogDuplicate
	markLogSkip
	markLogFailed
	markNotLogged
	markGhostDone
	markGhostSettled
	markRefusedReplayed
	markCommand
	markCommandWaits
	markOutOfBounds
	markIDTwice
	markIDReplayed
	markIDStored
	markIDLoaded
	markIDReused
	markIDReusedHere
	markIDReusedThere
	markIDAmbiguous
	markWanted
	markHeld
	markHolderChanged
	markCopyAgain
	markCopyResent
	markHostLost
	markHeldByLoser
	markRollback
	markConflict
	markVerified
	markReclaim
	markReregister
	markRestoreTake
	markRestoreAcquire
	markRestored
	markIDLost
	markDropped
	markBeyond
	markLogBeyond
	markGhostAgain
	markLostByRollback
	marks
)

var markNames = [marks]string{
	markRepeated:          "message delivered twice",
	markLateStatement:     "statement reached the store after its sender had given up",
	markCrash:             "process crashed",
	markLostByCrash:       "operations lost with their process",
	markPause:             "process paused beyond its lease",
	markZombie:            "owner came back after its partition was taken",
	markLeave:             "process left in good order",
	markOutage:            "store unavailable",
	markCut:               "hosts cut off",
	markRetry:             "section without an answer, sent again",
	markDuplicate:         "section that was applied before",
	markOverlap:           "section of which a part was applied before",
	markStaleAnswer:       "answer of an earlier epoch",
	markRewind:            "acknowledged operations sent again to a new owner",
	markOvertaken:         "progress overtook the answer",
	markMoved:             "section refused as moved",
	markBusy:              "section refused as busy",
	markUnknown:           "section of an origin that the owner had not heard of",
	markLoading:           "section waited for totals to be read",
	markInPart:            "section taken in part, for want of room for what must be read",
	markNoLoad:            "section applied without totals since the store could not be read",
	markDoubt:             "answer of an owner in doubt of its lease",
	markResolved:          "unknown commit resolved from the ledger",
	markHandOver:          "partition handed over",
	markHandOverUnheard:   "hand-over found in the store instead of heard of",
	markNotOwner:          "flush of a former owner refused",
	markIgnoredDone:       "batch ended after its owner had dropped the partition",
	markTakeOver:          "partition claimed from an owner without a lease",
	markTakeOverUnheard:   "claim whose answer was lost found in the store",
	markSettleWait:        "new owner settles",
	markSettledByHello:    "settled by the origins' sections",
	markSettledByLease:    "settled since a lease ran out",
	markReleaseWaits:      "hand-over put off while settling",
	markUnawaited:         "taken over without awaiting a process that was alive",
	markLoadRetry:         "read that raced with a flush, made again",
	markLoadIncluded:      "read that contained the batch under way",
	markEvicted:           "counters evicted",
	markCombined:          "increments combined in one operation",
	markTotalApart:        "total of a caller inside a combined operation",
	markOutOfRangeHere:    "out of range at the owner itself",
	markOutOfRangeThere:   "out of range at another owner",
	markOutOfRangeUnheard: "accepted, and refused unheard before the owner changed (known limit)",
	markOutOfRangeLater:   "refused after its caller had stopped waiting",
	markPromised:          "answered before, and taken again although out of range",
	markQuarantine:        "deltas set aside",
	markQuarantineLoad:    "read raced with deltas being set aside",
	markDatabase:          "increment waited for the store",
	markForgotten:         "caller stopped waiting",
	markColdRead:          "counter read from the store",
	markReadMoved:         "read at a process that no longer owns",
	markReadSettle:        "read while settling",
	markLogTorn:           "log with a torn tail",
	markLogReplay:         "log of a past process resent",
	markLogMore:           "log that held more than it had confirmed",
	markLogDuplicate:      "operation of a log that an owner had applied before",
	markLogSkip:           "log overtaken by the store",
	markLogFailed:         "log failed",
	markNotLogged:         "caller told that the log has failed",
	markGhostDone:         "log removed, and its process closed",
	markGhostSettled:      "settled by a log",
	markRefusedReplayed:   "refused, and counted after a replay of the log (known limit)",
	markCommand:           "command resolved by the owner",
	markCommandWaits:      "command at a process that cannot resolve it: no owner, settling, or in doubt of its lease",
	markOutOfBounds:       "increment rejected by its bound",
	markIDTwice:           "two requests with one idempotency key at the same moment",
	markIDReplayed:        "repeat found by the owner",
	markIDStored:          "repeat answered from the store's row",
	markIDLoaded:          "row of an idempotency key read from the store",
	markIDReused:          "idempotency key of another increment in a stream",
	markIDReusedHere:      "request refused since its key is another increment's",
	markIDReusedThere:     "caller told that its key is another increment's",
	markIDAmbiguous:       "two increments with one key, and the answered one lost to the other (known limit)",
	markWanted:            "owner's own operations wait for their keys to be looked up",
	markHeld:              "increment waited for a second holder",
	markHolderChanged:     "another process holds the copies from now on",
	markCopyAgain:         "copies sent again",
	markCopyResent:        "copies resent for a process without a lease",
	markHostLost:          "host lost with its disk",
	markHeldByLoser:       "held by an owner that lost the partition, and lost with its origin's host (known limit)",
	markRollback:          "store came back from an older state",
	markConflict:          "partition started afresh since the ledger did not match",
	markVerified:          "owner found the ledger behind",
	markReclaim:           "partition reclaimed above a known epoch",
	markReregister:        "process registered again",
	markRestoreTake:       "origin took back what the store had lost",
	markRestoreAcquire:    "owner took back what the store had lost",
	markRestored:          "stream whole again after the store had lost a part",
	markIDLost:            "idempotency key lost by the store and counted again, once",
	markDropped:           "epoch that was given up before, acquired again under a later one",
	markBeyond:            "process stopped: the store lost what it no longer kept",
	markLogBeyond:         "log given up: the store came back without its process, or without what it lacks (known limit)",
	markGhostAgain:        "process stopped and started, since the store lost what a log had resent (known limit)",
	markLostByRollback:    "stream that a rollback cut, whose process had ended (known limit)",
}

func (m mark) String() string { return markNames[m] }

func (w *world) mark(m mark) { w.marks[m]++ }

// Add adds the counts of another history.
func (m *Marks) Add(other *Marks) {
	for i := range m {
		m[i] += other[i]
	}
}

const (
	// often is how many times the tests must have taken each path.
	often = 100
	// limitOften is the same for the known limits, which take several faults at once.
	limitOften = 5
)

// Rare returns the names of the paths that were not taken often enough.
func (m *Marks) Rare() (names []string) {
	for i, n := range m {
		want := often
		if strings.Contains(markNames[i], "known limit") {
			want = limitOften
		}
		if n < want {
			names = append(names, fmt.Sprintf("%s: %d, of %d", markNames[i], n, want))
		}
	}
	return names
}
