package ring

import (
	"errors"
	"fmt"
	"strconv"
)

// Algorithm names what places partitions on members, with the library's release line: another line may place
// differently (0.x and 1.x do), which TestNew_PlacesAsInTheGoldenFile would show.
const Algorithm = "consistent/1.1"

// Limits of the Settings and of the member count. They keep every quotient far from where float64 rounds, which the
// proof at place relies on, and bound what New costs.
const (
	MaxPartitions        = 1 << 16
	MaxReplicationFactor = 1 << 10
	MaxLoad              = 4.0
	MaxMembers           = 1 << 8
)

// Settings fix how keys become partitions and partitions find members. All nodes of a cluster have the same (R11);
// they never change after the cluster was created.
type Settings struct {
	Partitions        uint32  // count of partitions, 1..MaxPartitions
	ReplicationFactor int     // points of each member on the hash circle, 1..MaxReplicationFactor
	Load              float64 // a member gets at most ceil(Load * partitions / members), 1..MaxLoad
}

// Default returns the settings of a new cluster: 271 partitions (a prime), 200 points for each member, load 1.15.
//
// They were chosen by measuring, over 1..20 members and eight sets of names, the fullest member against the ideal share
// (partitions / members, rounded up) and what a join moves against the newcomer's ideal share, mean and worst:
//
//	points  load   fullest   moved, mean   moved, worst   moved between old members, mean
//	    20  1.15     1.19        1.26          2.07           0.27
//	    20  1.25     1.29        1.15          2.01           0.17
//	   200  1.00     1.00        1.44          2.48           0.44
//	   200  1.10     1.12        1.19          2.09           0.20
//	   200  1.15     1.19        1.12          1.70           0.13   (chosen)
//	   200  1.25     1.29        1.07          1.70           0.07
//	   200  4.00     1.71        0.99          1.42           0.00   (in effect unbounded)
//	  1000  1.15     1.19        1.16          1.78           0.15
//
// So in a cluster of 3, 5, 10 and 20 members, three sets of names, mean partitions in a join to that size:
//
//	members   ideal share   fewest   most   a join moves   of it between old members
//	      3          90.3       77    104           93.3                         0.0
//	      5          54.2       44     62           55.3                         0.3
//	     10          27.1       18     32           29.3                         1.3
//	     20          13.6        6     16           19.3                         4.0
//
// More points than 200 buy nothing: with 271 partitions, chance in the partitions' own hashes outweighs the circle's.
// A tighter load costs moves between members that did not change; a looser one leaves a member with far more
// work than the others. TestTable_StaysWithinTheFiguresOfDefault prints the figures for each member count.
func Default() Settings {
	return Settings{Partitions: 271, ReplicationFactor: 200, Load: 1.15}
}

// Validate names every setting that is out of its range, or returns nil.
func (s Settings) Validate() error {
	var errs []error
	if s.Partitions < 1 || s.Partitions > MaxPartitions {
		errs = append(errs, fmt.Errorf("partitions must be 1 to %d, not %d", MaxPartitions, s.Partitions))
	}
	if s.ReplicationFactor < 1 || s.ReplicationFactor > MaxReplicationFactor {
		errs = append(errs, fmt.Errorf("replication factor must be 1 to %d, not %d", MaxReplicationFactor, s.ReplicationFactor))
	}
	if !(s.Load >= 1 && s.Load <= MaxLoad) { // written so that NaN is refused too
		errs = append(errs, fmt.Errorf("load must be 1 to %g, not %g", MaxLoad, s.Load))
	}
	return errors.Join(errs...)
}

// Version describes the algorithm with all its parameters in one line, for the store and for gossip. Nodes whose
// versions differ must not be in one cluster (R11).
func (s Settings) Version() string {
	return Algorithm + " " + Hash +
		" partitions=" + strconv.FormatUint(uint64(s.Partitions), 10) +
		" points=" + strconv.Itoa(s.ReplicationFactor) +
		" load=" + strconv.FormatFloat(s.Load, 'g', -1, 64)
}
