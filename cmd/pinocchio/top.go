package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// topCmd shows what the nodes of a cluster do, again and again.
type topCmd struct {
	Interval time.Duration `default:"2s" help:"Time between two looks, over which rates are taken."`
	Once     bool          `help:"Look twice, print once, and end."`
	asking
}

// Validate is called by the parser.
func (c *topCmd) Validate() error {
	if c.Interval <= 0 {
		return fmt.Errorf("interval: %v, must be more than 0", c.Interval)
	}
	return nil
}

// Run looks until ctx ends, or once.
func (c *topCmd) Run(ctx context.Context, std streams) error {
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	var before map[string]look
	for {
		cluster, err := c.cluster(ctx)
		if ctx.Err() != nil {
			return nil // the first signal is how one leaves
		}
		if err != nil {
			return err
		}
		now := c.lookAtAll(ctx, cluster)
		if before != nil {
			if err := c.show(std.out, newTopReport(cluster, before, now)); err != nil || c.Once {
				return err
			}
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lookAtAll asks each member, within one interval, or within a second if that is less than a busy node may need.
func (c *topCmd) lookAtAll(ctx context.Context, cluster client.Cluster) map[string]look {
	return c.lookAt(ctx, cluster, max(c.Interval, time.Second))
}

// show prints a look: as a line of JSON, or in place of the one before on a terminal.
func (c *topCmd) show(w io.Writer, r *topReport) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(r)
	}
	if isTerminal(w) && !c.Once {
		_, _ = io.WriteString(w, "\x1b[H\x1b[2J") // home, clear
	}
	return r.write(w)
}

// topReport is what top shows.
type topReport struct {
	Cluster    string      `json:"cluster"`
	Partitions int         `json:"partitions"`
	Unowned    int         `json:"unowned"`
	Rate       float64     `json:"increments_per_second"` // of all members that were seen twice
	Members    []topMember `json:"members"`
}

// topMember is one process. When Error is set there are no figures.
type topMember struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	HTTPAddr string   `json:"http"`
	State    string   `json:"state"`
	Rate     *float64 `json:"increments_per_second"` // null: not seen before
	Owned    int      `json:"owned"`
	Pending  int64    `json:"pending"`
	Oldest   float64  `json:"pending_age_seconds"`
	Trusted  bool     `json:"lease_trusted"`
	Error    string   `json:"error,omitempty"`
	replaced bool
}

func newTopReport(cluster client.Cluster, before, now map[string]look) *topReport {
	r := &topReport{Cluster: cluster.Cluster, Partitions: cluster.Partitions, Unowned: cluster.Unowned, Members: []topMember{}}
	for _, m := range cluster.Members {
		a, b := before[m.ID], now[m.ID]
		line := topMember{ID: m.ID, Name: m.Name, HTTPAddr: m.HTTPAddr, State: stateOf(m)}
		if b.err != nil {
			line.Error, line.replaced = oneLine(b.err), errors.Is(b.err, errSucceeded)
			r.Members = append(r.Members, line)
			continue
		}
		line.Owned, line.Pending, line.Oldest, line.Trusted = int(b.owned), int64(b.pending), b.age, b.trusted != 0
		if a.err == nil && !a.at.IsZero() {
			rate := (b.accepted - a.accepted) / b.at.Sub(a.at).Seconds()
			line.Rate = &rate
			r.Rate += rate
		}
		r.Members = append(r.Members, line)
	}
	return r
}

// write writes the report for people.
func (r *topReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "cluster %s: %d partitions, %d unowned\n\n", r.Cluster, r.Partitions, r.Unowned)
	_, _ = fmt.Fprintln(t, "NODE\tSTATE\tINCREMENTS/S\tOWNED\tPENDING\tOLDEST\tLEASE")
	for _, m := range r.Members {
		if m.replaced {
			_, _ = fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\treplaced\n", m.Name, m.State)
			continue
		}
		if m.Error != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\tno answer: %s\n", m.Name, m.State, m.Error)
			continue
		}
		rate, lease := "-", "trusted"
		if m.Rate != nil {
			rate = fmt.Sprintf("%.0f", *m.Rate)
		}
		if !m.Trusted {
			lease = "IN DOUBT"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%.1f s\t%s\n", m.Name, m.State, rate, m.Owned, m.Pending, m.Oldest, lease)
	}
	_, _ = fmt.Fprintf(t, "all\t\t%.0f\n", r.Rate)
	return t.Flush()
}
