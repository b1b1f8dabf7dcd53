package gossip

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxSeeds bounds the seeds of one round (R10). Through any one of a cluster the whole of it is found; which ones are
// tried changes from round to round.
const maxSeeds = 32

// parallelJoins is how many seeds are tried at a time, so that a few dead ones do not hold up the rest.
const parallelJoins = 4

// firstRetry divides the rejoin interval for a node that found none of its seeds: it tries again soon, then less often.
const firstRetry = 16

// roundGap is the least time between two rounds, however often one is asked for: each may query the store.
const roundGap = 100 * time.Millisecond

// rejoiner joins the seeds that are not members: once at the start, then on a ticker. Two halves of a split forget each
// other after DeadTime and would never look again; one join between them brings them together.
type rejoiner struct {
	*Gossip
	list *memberlist.Memberlist

	failing, lost bool // the last round joined nobody it tried; the last call of MoreSeeds failed
}

// run ends with ctx. Joins that are under way then end with the transport.
func (r *rejoiner) run(ctx context.Context) {
	soon := r.cfg.RejoinInterval / firstRetry
	retry := soon
	for first := true; ; first = false {
		alone := r.round(ctx)
		if first {
			close(r.joined)
		}
		wait := r.cfg.RejoinInterval
		if alone {
			wait, retry = retry, min(2*retry, r.cfg.RejoinInterval)
		} else {
			retry = soon
		}
		if !pause(ctx, roundGap, nil) || !pause(ctx, jitter(wait)-roundGap, r.rejoin) {
			return
		}
	}
}

// pause waits for d or until cut is sent to. It tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration, cut <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-cut:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// jitter spreads d by a fifth to both sides, so that nodes that start together do not stay together.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*(d/5)+1)
}

// round tries every seed once. It tells whether there were some, none answered, and this node is alone.
func (r *rejoiner) round(ctx context.Context) (alone bool) {
	t := &tries{seen: map[netip.AddrPort]bool{}}
	for _, m := range r.roster.list() {
		if addr, err := netip.ParseAddrPort(m.Addr); err == nil {
			t.seen[addr] = true
		}
	}

	seeds := make(chan string)
	var workers sync.WaitGroup
	for range parallelJoins {
		workers.Go(func() {
			for seed := range seeds {
				r.try(ctx, seed, t)
			}
		})
	}
	for _, seed := range r.seeds(ctx) {
		select {
		case seeds <- seed:
		case <-ctx.Done():
		}
	}
	close(seeds)
	workers.Wait()

	if ctx.Err() != nil {
		return false
	}
	r.report(t)
	members, _ := r.roster.counts()
	return len(t.errs) > 0 && t.joined == 0 && members <= 1
}

// seeds returns who may be joined now, in random order.
func (r *rejoiner) seeds(ctx context.Context) []string {
	all := append([]string(nil), r.cfg.Seeds...)
	if r.cfg.MoreSeeds != nil {
		ctx, cancel := context.WithTimeout(ctx, r.cfg.StreamTimeout)
		more, err := r.cfg.MoreSeeds(ctx)
		cancel()
		if err != nil && !r.lost {
			r.log.Warn("no addresses of registered nodes", "error", err)
		}
		r.lost = err != nil
		all = append(all, more...)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(len(all), maxSeeds)]
}

// tries is what the workers of one round share.
type tries struct {
	mu     sync.Mutex
	seen   map[netip.AddrPort]bool // members, of which this node is one, and what was tried
	joined int
	errs   []error
}

// try joins one seed, at each of its addresses that is not a member's.
func (r *rejoiner) try(ctx context.Context, seed string, t *tries) {
	addrs, err := r.resolve(ctx, seed)
	if err != nil {
		r.result(t, err)
		return
	}
	for _, addr := range addrs {
		t.mu.Lock()
		seen := t.seen[addr]
		t.seen[addr] = true
		t.mu.Unlock()
		if seen || ctx.Err() != nil {
			continue
		}
		_, err := r.list.Join([]string{addr.String()})
		r.result(t, err)
	}
}

func (r *rejoiner) result(t *tries, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.errs = append(t.errs, err)
		r.joinFailures.Add(1)
		return
	}
	t.joined++
	r.joins.Add(1)
}

// report logs a change between finding seeds and finding none.
func (r *rejoiner) report(t *tries) {
	failing := len(t.errs) > 0 && t.joined == 0
	members, _ := r.roster.counts()
	switch {
	case failing && !r.failing:
		level := slog.LevelInfo // a seed that was removed or crashed
		if members <= 1 {
			level = slog.LevelWarn
		}
		r.log.Log(context.Background(), level, "seeds are not reached; trying again",
			"members", members, "error", errors.Join(t.errs...))
	case !failing && r.failing:
		r.log.Info("seeds are reached again", "members", members)
	}
	r.failing = failing
}
