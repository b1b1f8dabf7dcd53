package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// topCmd shows what the nodes of a cluster do, again and again.
type topCmd struct {
	Interval time.Duration `default:"2s" help:"Time between two looks, over which rates are taken."`
	Once     bool          `help:"Look twice, print once, and end."`
	reach
}

// Validate is called by the parser.
func (c *topCmd) Validate() error {
	if c.Interval <= 0 {
		return fmt.Errorf("interval: %v, must be more than 0", c.Interval)
	}
	return nil
}

// look is what one node's metrics said at a time.
type look struct {
	at                              time.Time
	accepted, pending, age, trusted float64
	owned                           float64
	err                             error
}

// Run looks until ctx ends, or once.
func (c *topCmd) Run(ctx context.Context, std streams) error {
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	var before map[string]look
	for {
		var cluster client.Cluster
		err := c.ask(ctx, func(ctx context.Context, cl *client.Client) (err error) {
			cluster, err = cl.Cluster(ctx)
			return err
		})
		if ctx.Err() != nil {
			return nil // the first signal is how one leaves
		}
		if err != nil {
			return err
		}
		now := c.lookAtAll(ctx, cluster)
		if before != nil {
			if isTerminal(std.out) && !c.Once {
				_, _ = io.WriteString(std.out, "\x1b[H\x1b[2J") // home, clear
			}
			if err := writeTop(std.out, cluster, before, now); err != nil || c.Once {
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

// lookAtAll asks each member, within one interval.
func (c *topCmd) lookAtAll(ctx context.Context, cluster client.Cluster) map[string]look {
	looks := make(map[string]look, len(cluster.Members))
	ctx, cancel := context.WithTimeout(ctx, c.Interval)
	defer cancel()
	for _, m := range cluster.Members {
		if succeeded(m, cluster.Members) {
			looks[m.ID] = look{err: errSucceeded}
			continue
		}
		looks[m.ID] = c.lookAt(ctx, m.HTTPAddr)
	}
	return looks
}

// errSucceeded is why a process is not asked: what answers at its address is another one, whose figures would count twice.
var errSucceeded = errors.New("another process has its address")

// succeeded says whether a process is gone and a live one has its address: the same node, started again.
func succeeded(m client.Member, all []client.Member) bool {
	return !m.Alive && slices.ContainsFunc(all, func(o client.Member) bool { return o.Alive && o.HTTPAddr == m.HTTPAddr })
}

func (c *topCmd) lookAt(ctx context.Context, addr string) look {
	cl, err := client.New(client.Options{Nodes: []string{addr}, Token: c.Token, Retries: -1, Timeout: 2 * c.Interval}) // ctx ends before
	if err != nil {
		return look{err: err}
	}
	defer cl.Close()
	page, err := cl.Metrics(ctx)
	return look{
		at: time.Now(), err: err, owned: sample(page, "pinocchio_partitions_owned"),
		accepted: sample(page, `pinocchio_increments_total{result="accepted"}`), trusted: sample(page, "pinocchio_lease_trusted"),
		pending: sample(page, "pinocchio_pending_operations"), age: sample(page, "pinocchio_pending_age_seconds"),
	}
}

// sample returns a series' value in a page of metrics, 0 where it has none.
func sample(page []byte, series string) float64 {
	for line := range bytes.Lines(page) {
		if rest, ok := strings.CutPrefix(string(line), series+" "); ok {
			value, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return value
		}
	}
	return 0
}

func writeTop(w io.Writer, cluster client.Cluster, before, now map[string]look) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "cluster %s: %d partitions, %d unowned\n\n", cluster.Cluster, cluster.Partitions, cluster.Unowned)
	_, _ = fmt.Fprintln(t, "NODE\tSTATE\tINCREMENTS/S\tOWNED\tPENDING\tOLDEST\tLEASE")
	var sum float64
	for _, m := range cluster.Members {
		a, b := before[m.ID], now[m.ID]
		if errors.Is(b.err, errSucceeded) {
			_, _ = fmt.Fprintf(t, "%s\t%s\t-\t-\t-\t-\treplaced\n", m.Name, stateOf(m))
			continue
		}
		if b.err != nil {
			_, _ = fmt.Fprintf(t, "%s\t%s\tno answer at %s\n", m.Name, stateOf(m), m.HTTPAddr)
			continue
		}
		rate := "-" // not seen before
		if a.err == nil && !a.at.IsZero() {
			perSecond := (b.accepted - a.accepted) / b.at.Sub(a.at).Seconds()
			rate, sum = fmt.Sprintf("%.0f", perSecond), sum+perSecond
		}
		lease := "trusted"
		if b.trusted == 0 {
			lease = "IN DOUBT"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%.0f\t%.1f s\t%s\n", m.Name, stateOf(m), rate, b.owned, b.pending, b.age, lease)
	}
	_, _ = fmt.Fprintf(t, "all\t\t%.0f\n", sum)
	return t.Flush()
}
