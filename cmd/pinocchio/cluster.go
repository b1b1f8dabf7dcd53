package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// clusterCmd prints the members and the state of a cluster.
type clusterCmd struct{ asking }

// memberPatience is how long the members are waited for whose figures stand in the table: one that is gone must not hold it up.
const memberPatience = 2 * time.Second

// Run prints a line for the cluster and a table of its members.
func (c *clusterCmd) Run(ctx context.Context, std streams) error {
	s, err := c.cluster(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(std.out).Encode(s)
	}
	return writeCluster(std.out, s, c.lookAt(ctx, s, min(c.Timeout, memberPatience)))
}

func writeCluster(w io.Writer, s client.Cluster, looks map[string]look) error {
	store := "reachable"
	if !s.StoreOK {
		store = "NOT REACHABLE"
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "cluster %s: %d partitions, %d unowned, %d settling; store %s\n", s.Cluster, s.Partitions, s.Unowned, s.Settling, store)
	_, _ = fmt.Fprintf(t, "seen by %s: %d operations pending, the oldest for %.1f s\n\n", s.Node, s.Pending, s.PendingAge)
	_, _ = fmt.Fprintln(t, "NODE\tSTATE\tLEASE\tOWNED\tWANTED\tPENDING\tOLDEST\tHTTP")
	for _, m := range s.Members {
		pending, oldest := "-", "-" // it did not say
		if l := looks[m.ID]; l.err == nil {
			pending, oldest = fmt.Sprintf("%.0f", l.pending), fmt.Sprintf("%.1f s", l.age)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%.1f s\t%d\t%d\t%s\t%s\t%s\n", m.Name, stateOf(m), m.LeaseLeft, m.Owned, m.Wanted, pending, oldest, m.HTTPAddr)
	}
	return t.Flush()
}

// stateOf is a member's state in a word.
func stateOf(m client.Member) string {
	switch {
	case m.Draining:
		return "draining"
	case m.Alive:
		return "alive"
	case m.LeaseLeft > 0:
		return "silent" // gossip does not hear it, its lease still runs
	}
	return "gone"
}
