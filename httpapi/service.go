package httpapi

import (
	"io"

	"github.com/pinocchio-nose/pinocchio/node"
)

// MaxKeyBytes is the length of the longest key.
const MaxKeyBytes = 512

// Service is what the API serves: a *node.Node, or a stand-in in tests. All methods are called concurrently. Keys are
// only valid during the call: their bytes are used again for the next request.
//
// An error that is none of the node package's exported ones is answered with a bare 500 and goes to the log.
type Service interface {
	// Increment adds in.Delta to in.Key and returns when the asked durability has been reached (R7).
	Increment(in node.Increment) (node.Result, error)
	// IncrementMany does the same for each of in: out, of the same length, says what became of each.
	IncrementMany(in []node.Increment, out []node.Outcome)
	// Change carries out a command at the owner of its key.
	Change(c node.Change) (node.Changed, error)
	// Total returns the total of key, zero for a key that was never counted.
	Total(key []byte) (node.Reading, error)
	// Counter returns the total of key beside what the store has of it.
	Counter(key []byte) (node.Detail, error)
	// List returns at most limit persisted counters whose key starts with prefix and is greater than after, in key order.
	List(prefix, after string, limit int) ([]node.KeyValue, error)
	// Cluster returns what this node knows of the cluster, without waiting for anybody.
	Cluster() node.ClusterStatus
	// Audit returns what this process has counted since it started, without waiting for anybody.
	Audit() node.AuditFigures
	// Ready returns nil when the node can take requests, else why not; the reason goes to the log.
	Ready() error
	// WriteMetrics writes the node's own metrics in the Prometheus text format, with HELP and TYPE lines.
	WriteMetrics(w io.Writer)
}
