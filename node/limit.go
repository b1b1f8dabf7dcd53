package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/expo"
	"github.com/pinocchio-nose/pinocchio/internal/limit"
)

// rates is the rate limit as one node keeps it. The owner of the partition in which a client falls decides for the whole cluster; where
// it cannot be asked, or does not answer in time, the node that took the request decides by itself: then a client has, at
// worst, an allowance at each node. What an owner knew does not move with its partition: its clients start afresh.
type rates struct {
	clients  *limit.Clients
	start    time.Time
	count    atomic.Int64 // clients remembered, a second ago
	allowed  *metrics.Counter
	denied   *metrics.Counter
	stranded *metrics.Counter
}

func rateFamilies() expo.Table {
	return expo.Table{
		{Name: "pinocchio_rate_limit_total", Type: expo.TypeCounter, Help: "Increments that the rate limit let pass or denied at this node, by result."},
		{Name: "pinocchio_rate_limit_stranded_total", Type: expo.TypeCounter, Help: "Decisions that this node made by itself, because the owner of the client's allowance did not answer in time."},
		{Name: "pinocchio_rate_limit_clients", Type: expo.TypeGauge, Help: "Clients whose allowance this node remembers."},
	}
}

// newRates returns nil when there is no limit.
func newRates(cfg Config, set *metrics.Set) *rates {
	if !cfg.RateLimit.Enabled() {
		return nil
	}
	r := &rates{
		clients:  limit.NewClients(cfg.RateLimit, cfg.MaxClients),
		start:    time.Now(),
		allowed:  set.NewCounter(`pinocchio_rate_limit_total{result="allowed"}`),
		denied:   set.NewCounter(`pinocchio_rate_limit_total{result="denied"}`),
		stranded: set.NewCounter("pinocchio_rate_limit_stranded_total"),
	}
	set.NewGauge("pinocchio_rate_limit_clients", func() float64 { return float64(r.count.Load()) })
	return r
}

// run forgets idle clients until ctx is done.
func (r *rates) run(ctx context.Context) {
	if r == nil {
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.count.Store(int64(r.clients.Expire(r.now())))
		}
	}
}

// now is this process's clock of allowances: it only rises.
func (r *rates) now() int64 { return int64(time.Since(r.start)) }

func (r *rates) take(q rateAsk) limit.Decision {
	return r.clients.Take(q.id, int(q.cost), r.now())
}

// Take asks whether a client, named by any bytes, may send cost increments now. Without a rate limit everybody may.
func (n *Node) Take(client []byte, cost int) limit.Decision {
	if n.rates == nil {
		return limit.Decision{Allowed: true}
	}
	q := rateAsk{id: limit.IDOf(client), cost: uint32(cost)}
	d, ok := n.takeFromOwner(q)
	if !ok {
		n.rates.stranded.Inc()
		d = n.rates.take(q)
	}
	if d.Allowed {
		n.rates.allowed.Add(cost)
		return d
	}
	n.rates.denied.Add(cost)
	for range cost {
		n.NoteDenied()
	}
	return d
}

// takeFromOwner asks the owner of the client's allowance; false: it did not answer in time.
func (n *Node) takeFromOwner(q rateAsk) (limit.Decision, bool) {
	owner, here := n.rateOwner(q.id)
	if here {
		return n.rates.take(q), true
	}
	l := n.links.get(owner)
	if l == nil || l.rates.resting() {
		return limit.Decision{}, false
	}
	answered := l.rates.ask(q)
	timer := getTimer(n.cfg.RateTimeout)
	defer putTimer(timer)
	select {
	case a := <-answered:
		if a.moved {
			n.refresh()
		}
		return a.decision, a.ok && !a.moved
	case <-l.gone:
	case <-timer.C:
	}
	return limit.Decision{}, false
}

// rateOwner is who decides about a client: the owner of its partition.
func (n *Node) rateOwner(id limit.ID) (owner counter.Origin, here bool) {
	sl := n.slots.of(id.Hash())
	sl.mu.Lock()
	defer sl.mu.Unlock()
	owner, _ = sl.p.Owner()
	return owner, sl.p.Phase() != counter.Following
}
