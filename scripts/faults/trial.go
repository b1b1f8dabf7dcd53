package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

const (
	nodesAtStart = 3
	database     = "postgres"
	// settleLimit is how long a cluster may take to come to rest when nothing is broken any more, beside leases.
	settleLimit = 30 * time.Second
)

// plan is what a scenario needs beside Postgres and nodes.
type plan struct {
	proxies bool     // one between each node and Postgres
	spaces  bool     // a network namespace for each node
	flags   []string // of the nodes, beside the usual ones
}

// trial is one run of a scenario: a Postgres, a cluster, and what came of it. Its methods are for one goroutine, unless
// they say otherwise.
type trial struct {
	opt    options
	plan   plan
	bin    string
	folder string
	rng    *rand.Rand
	rep    *report
	client *http.Client

	pg        *pgtest.Server
	network   *network // with plan.spaces
	members   []*member
	ports     map[int]bool
	sum       string // of the table, when everything was in it
	witnessed int    // witnesses so far
}

// begin starts Postgres and the nodes, and waits until each owns its share.
func (t *trial) begin(ctx context.Context) (err error) {
	if err := os.MkdirAll(t.folder, 0o755); err != nil {
		return err
	}
	// Idle connections of a node that ends must not be used again: each question is asked on a fresh one.
	t.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if t.pg, err = pgtest.Launch(); err != nil {
		return err
	}
	if t.plan.spaces {
		if t.network, err = newNetwork(t.pg.Addr()); err != nil {
			return err
		}
	}
	for i := range nodesAtStart {
		m, err := t.newMember(fmt.Sprintf("n%d", i+1))
		if err == nil {
			err = t.launch(m)
		}
		if err != nil {
			return err
		}
	}
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	t.rep.note("%d nodes are ready, each with its share of the partitions", len(t.members))
	return nil
}

// end stops whatever runs, in order when graceful. Nodes that end in order promise exit status 0 and a table that has everything.
func (t *trial) end(graceful bool) error {
	var live []*member
	for _, m := range t.live() {
		live = append(live, m)
		m.process.Signal(syscall.SIGCONT)
		if graceful {
			m.process.Signal(syscall.SIGTERM)
		}
	}
	for _, m := range live {
		if graceful {
			t.expectExit(m)
		}
		m.process.Kill()
	}
	if graceful && t.sum != "" {
		sum, err := t.tableSum()
		t.rep.promise(err == nil && sum == t.sum, "the table's sum after all nodes ended is what it was: %s (before %s)", sum, t.sum)
	}
	var errs []error
	for _, m := range t.members {
		if m.proxy != nil {
			m.proxy.Stop()
		}
	}
	if t.network != nil {
		errs = append(errs, t.network.close())
	}
	if t.pg != nil {
		errs = append(errs, t.pg.Stop())
	}
	return errors.Join(errs...)
}

// expectExit waits for the end of a node that got SIGTERM, and promises status 0.
func (t *trial) expectExit(m *member) {
	began := time.Now()
	code, ended := m.process.Exit(exitLimit)
	switch {
	case !ended:
		t.rep.breaks("%s did not end within %v of SIGTERM", m.Name, exitLimit)
	case code != 0:
		t.rep.breaks("%s ended with exit status %d", m.Name, code)
	default:
		t.rep.note("%s ended with exit status 0, after %.1f s", m.Name, time.Since(began).Seconds())
	}
}

// awaitBalance waits until all live nodes agree that they, and nobody else, own what the ring gives them.
func (t *trial) awaitBalance(ctx context.Context) error {
	limit := settleLimit + 2*t.opt.lease
	return rig.Await(ctx, limit, "a balanced cluster", func() error {
		live := t.live()
		for _, m := range live {
			if _, _, err := t.get(ctx, m, "/readyz"); err != nil {
				return err
			}
			s, err := t.status(ctx, m)
			if err != nil {
				return err
			}
			if err := s.balanced(live); err != nil {
				return fmt.Errorf("%s says: %w", m.Name, err)
			}
		}
		return nil
	})
}

// balanced returns what is still to be done until live own everything.
func (s *status) balanced(live []*member) error {
	if s.Unowned > 0 || s.Settling > 0 {
		return fmt.Errorf("%d partitions have no owner, %d are settling", s.Unowned, s.Settling)
	}
	seen := 0
	for _, m := range s.Members {
		if !m.Alive || m.Draining || m.LeaseLeft <= 0 {
			continue
		}
		if m.Owned != m.Wanted || m.Owned == 0 {
			return fmt.Errorf("%s owns %d partitions of %d", m.Name, m.Owned, m.Wanted)
		}
		seen++
	}
	if seen != len(live) {
		return fmt.Errorf("%d members of %d", seen, len(live))
	}
	return nil
}
