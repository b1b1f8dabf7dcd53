package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// auditCmd compares what the nodes counted with the tables.
type auditCmd struct {
	Store       string        `required:"" help:"The cluster's store, as its nodes are given it." placeholder:"URL"`
	Server      []string      `required:"" help:"Node to ask, http://host:port, https://host:port or host:port; repeatable: name all nodes that live." placeholder:"URL"`
	Token       string        `help:"Bearer token; better in the environment, where other users do not see it." placeholder:"TOKEN"`
	CA          string        `name:"ca" type:"existingfile" help:"Certificates of the authorities to trust for https, PEM. Default: the system's." placeholder:"FILE"`
	ClusterName string        `default:"pinocchio" help:"Name of the cluster."`
	Partitions  uint32        `default:"271" help:"Count of partitions of the cluster."`
	Wait        time.Duration `default:"10s" help:"How long to look again while nodes and tables move, or do not agree yet."`
	Timeout     time.Duration `default:"5s" help:"Longest wait for an answer of a node."`
	Exact       bool          `help:"Exit 1 also when something moved all the time, so that the comparison is a bounded one."`
	JSON        bool          `name:"json" help:"Print JSON."`
}

// auditPause is the time between two looks: a flush interval of a quick cluster.
const auditPause = 200 * time.Millisecond

// Run prints the comparison, and fails when it does not add up.
func (c *auditCmd) Run(ctx context.Context, std streams) error {
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	defer nodes.close()
	s := settings{ClusterName: c.ClusterName, Partitions: c.Partitions}
	store, err := s.look(ctx, c.Store, "pinocchio audit")
	if err != nil {
		return fmt.Errorf("--store: %w", err)
	}
	a, err := c.look(ctx, nodes, store)
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(std.out).Encode(a)
	} else {
		err = a.write(std.out)
	}
	return errors.Join(err, a.verdict(c.Exact))
}

// look takes the figures again and again until they add up exactly or the time is over, and returns the last ones.
func (c *auditCmd) look(ctx context.Context, nodes *auditNodes, store flush.Store) (*audit, error) {
	for end := time.Now().Add(c.Wait); ; {
		a, err := c.once(ctx, nodes, store)
		if err != nil || a.Verdict == addsUp || a.Values.Verdict == doesNot || !time.Now().Before(end) {
			return a, err // values are of one snapshot: no later one makes that good
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(auditPause):
		}
	}
}

// once asks the nodes, reads the tables, and asks the nodes again: what the tables have lies between.
func (c *auditCmd) once(ctx context.Context, nodes *auditNodes, store flush.Store) (*audit, error) {
	all := make([]uint32, c.Partitions)
	for i := range all {
		all[i] = uint32(i)
	}
	before := nodes.ask(ctx)
	rows, err := store.Adopt(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	after := nodes.ask(ctx)
	values, err := store.Audit(ctx)
	if err != nil {
		return nil, fmt.Errorf("add up the counters: %w", err)
	}
	return newAudit(before, after, rows, &values, c.ClusterName), ctx.Err()
}
