package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// instance is a running node, with a store that the test can break and a front that the other nodes connect to.
type instance struct {
	*Node
	t      *testing.T
	faults *faultStore
	front  *front
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error         // valid then
	away   atomic.Bool   // stopped or crashed on purpose
}

func (c *cluster) startWith(cfg Config) *instance {
	c.t.Helper()
	i := &instance{t: c.t, faults: newFaultStore(cfg.Store), front: newFront(c.t), done: make(chan struct{})}
	i.faults.register = func(n *flush.Node) { n.PeerAddr = i.front.before(n.PeerAddr) }
	cfg.Store = i.faults
	n, err := New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	i.Node = n
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	go func() {
		defer close(i.done)
		i.err = n.Run(ctx)
	}()
	c.t.Cleanup(func() {
		if err := i.stop(); err != nil && !i.away.Load() {
			c.t.Errorf("%s ended with: %v", cfg.Name, err)
		}
	})
	c.nodes = append(c.nodes, i)
	return i
}

// stop ends the node in order and returns what Run returned.
func (i *instance) stop() error {
	i.cancel()
	<-i.done
	return i.err
}

// leave drains the node and stops it, as the command does on SIGTERM.
func (i *instance) leave() {
	i.t.Helper()
	i.away.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	i.Drain(ctx)
	if err := i.stop(); err != nil {
		i.t.Errorf("%s left with: %v", i.cfg.Name, err)
	}
}

var errCrashed = &flush.RetryError{Err: errors.New("this node has crashed")}

// crash takes the node off the world without a word, as SIGKILL would: nothing reaches the store, the other nodes or
// gossip any more. What is left of it in this process is ended behind the scenes.
func (i *instance) crash() {
	i.t.Helper()
	i.away.Store(true)
	i.accepting.Store(false)
	i.front.cut()
	_ = i.gossip.Close()
	dead := i.faults.add(refuse(errCrashed))
	// The round under way may open links. One that begins now cannot.
	seen := dead.hits("Renew")
	eventually(i.t, func() error {
		i.refresh()
		if dead.hits("Renew") == seen {
			return errors.New("the crashed node's control loop does not end its round")
		}
		return nil
	})
	i.links.update(i.Node, nil)
	i.cancel()
}

// ended returns an error when Run has returned though nobody asked.
func (i *instance) ended() error {
	select {
	case <-i.done:
		return fmt.Errorf("%s has ended: %w", i.cfg.Name, i.err)
	default:
		return nil
	}
}
