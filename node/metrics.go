package node

import (
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/expo"
	"github.com/pinocchio-nose/pinocchio/journal"
)

// families describes every metric of a node, in the order of the page.
func families() expo.Table {
	c, g, h := expo.TypeCounter, expo.TypeGauge, expo.TypeHistogram
	return expo.Table{
		{Name: "pinocchio_increments_total", Type: c, Help: "Increments that this node took from clients, by result. Later ones are part of accepted ones: their owner was not reached in time."},
		{Name: "pinocchio_commands_total", Type: c, Help: "Sets, resets and increments with bounds that this node took from clients, by kind (set or bounded) and result. Done ones are part of the accepted increments of their keys' owners."},
		{Name: "pinocchio_operations_forwarded_out_total", Type: c, Help: "Operations sent to their owners, repeats included. Several increments of one key may travel as one operation."},
		{Name: "pinocchio_operations_forwarded_in_total", Type: c, Help: "Operations received from other nodes for partitions owned here, repeats included."},
		{Name: "pinocchio_partitions_owned", Type: g, Help: "Partitions that this node owns."},
		{Name: "pinocchio_partitions_settling", Type: g, Help: "Owned partitions that still await operations which an earlier owner had answered."},
		{Name: "pinocchio_partitions_unowned", Type: g, Help: "Partitions without an owner, as far as this node knows."},
		{Name: "pinocchio_moves_total", Type: c, Help: "Partitions acquired (in), handed over (out), claimed from nobody or a dead node (claimed), and lost to a later epoch (lost)."},
		{Name: "pinocchio_pending_operations", Type: g, Help: "Operations of this node that the store does not have yet."},
		{Name: "pinocchio_pending_bytes", Type: g, Help: "What they weigh in memory, about."},
		{Name: "pinocchio_kept_bytes", Type: g, Help: "What operations weigh, about, that are kept although the store has them, to be sent again if the database comes back from an older state."},
		{Name: "pinocchio_log_up", Type: g, Help: "1 while the log on disk works; 0 when it has failed, or there is none."},
		{Name: "pinocchio_log_bytes", Type: g, Help: "Size of the log on disk."},
		{Name: "pinocchio_log_segments", Type: g, Help: "Files of the log on disk."},
		{Name: "pinocchio_log_replays", Type: g, Help: "Past processes whose log is being resent."},
		{Name: "pinocchio_log_sync_seconds", Type: h, Help: "Time of one write and fsync of the log on disk."},
		{Name: "pinocchio_idempotent_replays_total", Type: c, Help: "Increments that repeated one with the same idempotency key, and added nothing, as far as this node found out itself."},
		{Name: "pinocchio_store_rewinds_total", Type: c, Help: "Signs seen that the database came back from an older state."},
		{Name: "pinocchio_lost_operations_total", Type: c, Help: "Operations that were accepted and are known to be lost, by this process or those before it with its folder."},
		{Name: "pinocchio_pending_age_seconds", Type: g, Help: "Age of the oldest pending operation, to a flush interval."},
		{Name: "pinocchio_counters_in_memory", Type: g, Help: "Counters that this node keeps as their owner, by state: all, or dirty (with changes that the store does not have)."},
		{Name: "pinocchio_loads_total", Type: c, Help: "Counters read from the store because their total was asked for."},
		{Name: "pinocchio_load_failures_total", Type: c, Help: "Reads of counters from the store that failed."},
		{Name: "pinocchio_flush_duration_seconds", Type: h, Help: "Time of one flush statement."},
		{Name: "pinocchio_flush_rows_total", Type: c, Help: "Counter rows written by flushes."},
		{Name: "pinocchio_flush_retries_total", Type: c, Help: "Flush statements sent again after a failure."},
		{Name: "pinocchio_flush_unknown_outcomes_total", Type: c, Help: "Flush statements whose outcome was unknown; the ledger resolves them."},
		{Name: "pinocchio_flush_conflicts_total", Type: c, Help: "Partitions whose ledger did not stand where their owner left it."},
		{Name: "pinocchio_quarantined_total", Type: c, Help: "Deltas that the database refused for good; they stand in the table quarantine."},
		{Name: "pinocchio_unreported_refusals_total", Type: c, Help: "Increments answered as accepted that turned out to leave the range of a 64-bit counter."},
		{Name: "pinocchio_lease_trusted", Type: g, Help: "1 while this node surely holds its lease."},
		{Name: "pinocchio_lease_trust_left_seconds", Type: g, Help: "For how long the lease will be trusted; negative while it is in doubt."},
		{Name: "pinocchio_store_up", Type: g, Help: "1 when the last renewal of the lease reached the store."},
		{Name: "pinocchio_store_failures_total", Type: c, Help: "Renewals of the lease that did not reach the store."},
		{Name: "pinocchio_members", Type: g, Help: "Processes in the cluster, by state: alive by gossip, or leased by the store."},
		{Name: "pinocchio_gossip_refused_total", Type: c, Help: "Nodes refused by gossip because their settings differ."},
		{Name: "pinocchio_gossip_rejected_total", Type: c, Help: "Gossip messages dropped for a foreign cluster name or key."},
		{Name: "pinocchio_peer_faults_total", Type: c, Help: "Messages to other nodes without an answer; they are sent again."},
		{Name: "pinocchio_peer_strangers_total", Type: c, Help: "Messages refused because of a wrong secret or another cluster."},
		{Name: "pinocchio_peer_mangled_total", Type: c, Help: "Messages refused because they could not be read."},
		{Name: "pinocchio_peer_replayed_total", Type: c, Help: "Signed messages refused because this process has had them (repeated), or because they were meant for another process (misdirected)."},
		{Name: "pinocchio_peer_forged_answers_total", Type: c, Help: "Answers of other nodes refused because they were not signed for the question asked; it was asked again."},
	}
}

// instruments are the counters of one node. What changes with every increment is not here: slots count that under their locks.
type instruments struct {
	set *metrics.Set

	overloaded, outOfRange, later, durabilityTimeouts *metrics.Counter
	forwardedOut, forwardedIn                         *metrics.Counter
	movedIn, movedOut, claimed, lost                  *metrics.Counter
	loads, loadFailures                               *metrics.Counter
	flushRows, flushRetries, unknowns, quarantined    *metrics.Counter
	conflicts, unreported                             *metrics.Counter
	storeFailures, peerFaults, strangers, mangled     *metrics.Counter
	replayed, rewinds                                 *metrics.Counter
	repeated, misdirected, forged                     *metrics.Counter
	flushDuration, logSync                            *expo.Histogram
	commands                                          map[commandKind]*metrics.Counter
}

func newInstruments() *instruments {
	s := metrics.NewSet()
	return &instruments{
		set:                s,
		overloaded:         s.NewCounter(`pinocchio_increments_total{result="overloaded"}`),
		outOfRange:         s.NewCounter(`pinocchio_increments_total{result="out_of_range"}`),
		later:              s.NewCounter(`pinocchio_increments_total{result="later"}`),
		durabilityTimeouts: s.NewCounter(`pinocchio_increments_total{result="durability_timeout"}`),
		forwardedOut:       s.NewCounter("pinocchio_operations_forwarded_out_total"),
		forwardedIn:        s.NewCounter("pinocchio_operations_forwarded_in_total"),
		movedIn:            s.NewCounter(`pinocchio_moves_total{kind="in"}`),
		movedOut:           s.NewCounter(`pinocchio_moves_total{kind="out"}`),
		claimed:            s.NewCounter(`pinocchio_moves_total{kind="claimed"}`),
		lost:               s.NewCounter(`pinocchio_moves_total{kind="lost"}`),
		loads:              s.NewCounter("pinocchio_loads_total"),
		loadFailures:       s.NewCounter("pinocchio_load_failures_total"),
		flushRows:          s.NewCounter("pinocchio_flush_rows_total"),
		flushRetries:       s.NewCounter("pinocchio_flush_retries_total"),
		unknowns:           s.NewCounter("pinocchio_flush_unknown_outcomes_total"),
		quarantined:        s.NewCounter("pinocchio_quarantined_total"),
		conflicts:          s.NewCounter("pinocchio_flush_conflicts_total"),
		unreported:         s.NewCounter("pinocchio_unreported_refusals_total"),
		storeFailures:      s.NewCounter("pinocchio_store_failures_total"),
		peerFaults:         s.NewCounter("pinocchio_peer_faults_total"),
		strangers:          s.NewCounter("pinocchio_peer_strangers_total"),
		mangled:            s.NewCounter("pinocchio_peer_mangled_total"),
		rewinds:            s.NewCounter("pinocchio_store_rewinds_total"),
		replayed:           s.NewCounter("pinocchio_idempotent_replays_total"),
		repeated:           s.NewCounter(`pinocchio_peer_replayed_total{kind="repeated"}`),
		misdirected:        s.NewCounter(`pinocchio_peer_replayed_total{kind="misdirected"}`),
		forged:             s.NewCounter("pinocchio_peer_forged_answers_total"),
		commands:           commandCounters(s),
		flushDuration:      expo.NewHistogram(flushBounds(), 1),
		logSync:            expo.NewHistogram(syncBounds(), 1),
	}
}

func syncBounds() []time.Duration {
	const us = time.Microsecond
	return []time.Duration{50 * us, 100 * us, 200 * us, 500 * us, 1000 * us, 2000 * us, 5000 * us, 10000 * us, 50000 * us, 200000 * us, 1000000 * us}
}

func flushBounds() []time.Duration {
	const ms = time.Millisecond
	return []time.Duration{1 * ms, 2 * ms, 5 * ms, 10 * ms, 20 * ms, 50 * ms, 100 * ms, 200 * ms, 500 * ms, 1000 * ms, 2000 * ms, 5000 * ms, 10000 * ms}
}

// WriteMetrics writes this node's metrics in the Prometheus text format, each family with HELP and TYPE.
func (n *Node) WriteMetrics(w io.Writer) {
	append(append(families(), expiryFamily()), rateFamilies()...).Write(w, n.count.set.WritePrometheus, n.writeGauges, func(w io.Writer) {
		n.count.flushDuration.Expose(w, "pinocchio_flush_duration_seconds", "")
		n.count.logSync.Expose(w, "pinocchio_log_sync_seconds", "")
	})
}

// writeGauges writes what is looked up when somebody asks.
func (n *Node) writeGauges(w io.Writer) {
	t := n.tally()
	gauge := func(name string, v any) { fmt.Fprintf(w, "%s %v\n", name, v) }
	gauge(`pinocchio_increments_total{result="accepted"}`, t.accepted)
	gauge("pinocchio_partitions_owned", t.owned)
	gauge("pinocchio_partitions_settling", t.settling)
	gauge("pinocchio_partitions_unowned", t.unowned)
	gauge("pinocchio_pending_operations", n.slots.pending.Load())
	gauge("pinocchio_pending_age_seconds", time.Duration(n.oldest.Load()).Seconds())
	gauge("pinocchio_pending_bytes", n.slots.bytes.Load())
	gauge("pinocchio_kept_bytes", n.slots.kept.Load())
	n.writeLogGauges(gauge)
	mine, others := n.losses.count(n.id)
	gauge("pinocchio_lost_operations_total", mine+others)
	gauge(`pinocchio_counters_in_memory{state="all"}`, t.counters)
	gauge(`pinocchio_counters_in_memory{state="dirty"}`, t.dirty)
	gauge("pinocchio_lease_trusted", bit(n.lease.trusted()))
	gauge("pinocchio_lease_trust_left_seconds", n.lease.left().Seconds())
	gauge("pinocchio_store_up", bit(n.storeOK.Load()))
	alive, leased := 0, 0
	if world := n.world.Load(); world != nil {
		for _, m := range world.members {
			alive += bit(m.alive)
			leased += bit(m.LeaseLeft > 0)
		}
	}
	gauge(`pinocchio_members{state="alive"}`, alive)
	gauge(`pinocchio_members{state="leased"}`, leased)
	for _, c := range n.cfg.Certificates {
		gauge(`pinocchio_tls_certificate_expiry_seconds{kind="`+c.Kind()+`"}`, time.Until(c.Expiry()).Seconds())
	}
	gs := n.gossip.Stats()
	gauge("pinocchio_gossip_refused_total", gs.Refused)
	gauge("pinocchio_gossip_rejected_total", gs.Rejected)
}

// writeLogGauges writes what concerns the log on disk, this process's and those of past ones.
func (n *Node) writeLogGauges(gauge func(string, any)) {
	replaying := 0
	n.haunting.Range(func(any, any) bool { replaying++; return true })
	gauge("pinocchio_log_replays", replaying)
	var s journal.Stats
	if n.scribe != nil && n.scribe.log != nil {
		s = n.scribe.log.Stats()
	}
	gauge("pinocchio_log_up", bit(n.scribe != nil && n.scribe.fault() == nil))
	gauge("pinocchio_log_bytes", s.Bytes)
	gauge("pinocchio_log_segments", s.Segments)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tally is what the slots add up to.
type tally struct {
	accepted                 uint64
	owned, settling, unowned int
	counters, dirty          int
}

func (n *Node) tally() (t tally) {
	n.slots.each(func(sl *slot, p *counter.Partition) {
		t.accepted += sl.accepted
		owner, _ := p.Owner()
		switch {
		case p.Phase() != counter.Following:
			t.owned++
			t.settling += bit(p.IsSettling())
		case owner == counter.Origin{}:
			t.unowned++
		}
		all, dirty := p.Counters()
		t.counters += all
		t.dirty += dirty
	})
	return t
}

// flusherOptions connects the flusher to the metrics.
func (n *Node) flusherOptions() flush.FlusherOptions {
	return flush.FlusherOptions{
		Interval: n.cfg.FlushInterval,
		KeepIDs:  n.cfg.KeepIDs,
		Logger:   n.log,
		Hooks: flush.Hooks{
			Statement: func(took time.Duration, keys int, err error) {
				n.count.flushDuration.Observe(0, took)
				if err == nil {
					n.count.flushRows.Add(keys)
				}
			},
			Retried:     func(batches int) { n.count.flushRetries.Add(batches) },
			Unknown:     func(batches int) { n.count.unknowns.Add(batches) },
			Quarantined: func(deltas int) { n.count.quarantined.Add(deltas) },
		},
	}
}
