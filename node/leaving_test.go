package node

import (
	"errors"
	"testing"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// A store that fails for a moment does not make a node leave without handing over: the others would notice only afterwards.
func TestNode_HandsOverAllTheSameWhenTheStoreFailsAsItBeginsToLeave(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	leaver := c.nodes[0]
	deaf := leaver.faults.add(refuse(&flush.RetryError{Err: errors.New("refused")}, "SetDraining"))
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		leaver.Drain(t.Context())
	}()
	eventually(t, func() error {
		if deaf.hits("SetDraining") < 2 {
			return errors.New("it has not tried again")
		}
		return nil
	})
	leaver.faults.remove(deaf)
	<-drained
	if owned := leaver.tally().owned; owned != 0 {
		t.Errorf("it still owns %d partitions", owned)
	}
}
