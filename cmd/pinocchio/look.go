package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

// look is what one node's metrics said at a time.
type look struct {
	at                              time.Time
	accepted, pending, age, trusted float64
	owned                           float64
	err                             error
}

// cluster asks for the members.
func (a *reach) cluster(ctx context.Context) (s client.Cluster, err error) {
	err = a.ask(ctx, func(ctx context.Context, cl *client.Client) (err error) {
		s, err = cl.Cluster(ctx)
		return err
	})
	return s, err
}

// lookAt asks all members at once, and waits for them as long as the limit says.
func (a *reach) lookAt(ctx context.Context, cluster client.Cluster, limit time.Duration) map[string]look {
	looks := make([]look, len(cluster.Members))
	web, err := a.web()
	if err != nil {
		for i := range looks {
			looks[i].err = err
		}
		return byID(cluster.Members, looks)
	}
	defer web.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var all sync.WaitGroup
	for i, m := range cluster.Members {
		if succeeded(m, cluster.Members) {
			looks[i].err = errSucceeded
			continue
		}
		all.Go(func() { looks[i] = lookAtOne(ctx, web, a.scheme()+m.HTTPAddr, limit) })
	}
	all.Wait()
	return byID(cluster.Members, looks)
}

func byID(members []client.Member, looks []look) map[string]look {
	m := make(map[string]look, len(looks))
	for i := range looks {
		m[members[i].ID] = looks[i]
	}
	return m
}

// scheme is how members are asked, whose addresses have none: as the node that the user named.
func (a *reach) scheme() string {
	if slices.ContainsFunc(a.Server, func(s string) bool { return strings.HasPrefix(s, "https://") }) {
		return "https://"
	}
	return "http://"
}

// errSucceeded is why a process is not asked: what answers at its address is another one, whose figures would count twice.
var errSucceeded = errors.New("another process has its address")

// succeeded says whether a process is gone and a live one has its address: the same node, started again.
func succeeded(m client.Member, all []client.Member) bool {
	return !m.Alive && slices.ContainsFunc(all, func(o client.Member) bool { return o.Alive && o.HTTPAddr == m.HTTPAddr })
}

// lookAtOne reads a node's metrics. They are open to all, so the token goes to nobody but whom the user named.
func lookAtOne(ctx context.Context, web *http.Client, node string, limit time.Duration) look {
	cl, err := client.New(client.Options{Nodes: []string{node}, Retries: -1, Timeout: limit, HTTP: web})
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
