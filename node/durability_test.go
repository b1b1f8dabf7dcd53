package node

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// R7: the evidence exists before the answer. Waiting increments do not wait for the interval, and share statements.
func TestNode_AnswersAtDurabilityDatabaseWhenTheStoreHasIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.FlushInterval, cfg.StoreTimeout = 10*time.Second, 5*time.Second
		cfg.Durability = Database
	})
	n := c.nodes[0]
	const callers, each = 8, 25
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				r, err := n.Increment(Increment{Key: []byte("k"), Delta: 1, Return: true})
				if err != nil || !r.HasTotal {
					t.Errorf("%+v, %v", r, err)
					return
				}
				if got := c.stored("k")["k"]; got < r.Total {
					t.Errorf("the store has %d when %d was answered", got, r.Total)
				}
			}
		})
	}
	all.Wait()
	c.exact(map[string]int64{"k": callers * each})
}

// Whoever asks for the store while the partition's batch is under way gets the next one, not the next interval.
func TestNode_FlushesForAWaitingIncrementAsSoonAsThePreviousFlushEnded(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.FlushInterval, cfg.StoreTimeout = 10*time.Second, 5*time.Second })
	n := c.nodes[0]
	blocked, release := block("Flush")
	n.faults.add(blocked)
	defer release()
	var both sync.WaitGroup
	persist := func() {
		both.Go(func() {
			if _, err := n.Increment(Increment{Key: []byte("k"), Delta: 1, Durability: Database}); err != nil {
				t.Error(err)
			}
		})
	}
	persist()
	eventually(t, func() error {
		if blocked.hits("Flush") == 0 {
			return errors.New("nothing is flushed")
		}
		return nil
	})
	persist()
	eventually(t, func() error {
		if n.total("k") != 2 {
			return errors.New("the second increment has not come")
		}
		return nil
	})
	eventually(t, n.flusherLooks())
	n.faults.heal()
	release()
	both.Wait()
	c.exact(map[string]int64{"k": 2})
}

func TestNode_CountsOnceWhatItsAnswerCouldNotWaitFor(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.StoreTimeout = 50 * time.Millisecond })
	n := c.nodes[0]
	blocked, release := block("Flush")
	n.faults.add(blocked)
	defer release()
	_, err := n.Increment(Increment{Key: []byte("k"), Delta: 3, Durability: Database})
	if !errors.Is(err, ErrDurabilityTimeout) {
		t.Errorf("with the store blocked: %v", err)
	}
	if got := n.count.durabilityTimeouts.Get(); got != 1 {
		t.Errorf("counted %d timeouts", got)
	}
	n.faults.heal()
	release()
	c.exact(map[string]int64{"k": 3})
}

func TestCluster_AnswersAtDurabilityDatabaseWhenTheOwnerHasFlushed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, func(cfg *Config) {
		cfg.FlushInterval = 10 * time.Second
		cfg.LeaseTTL = time.Minute // nor do they wait for a round, in which an origin asks what is persisted
	})
	key := c.nodes[0].keyOf("k", 0)
	const callers, each = 8, 10
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				in := Increment{Key: []byte(key), Delta: 1, Durability: Database, Return: true}
				r, err := c.nodes[1].Increment(in)
				if err != nil || !r.HasTotal || r.Later {
					t.Errorf("%+v, %v", r, err)
				}
				if got := c.stored(key)[key]; got < r.Total {
					t.Errorf("the store has %d when %d was answered", got, r.Total)
				}
			}
		})
	}
	all.Wait()
	c.exact(map[string]int64{key: callers * each})
}
