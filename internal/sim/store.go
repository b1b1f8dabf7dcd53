package sim

import "github.com/pinocchio-nose/pinocchio/counter"

// store models the database: every call happens at one moment, wholly or not at all, as one statement does.
type store struct {
	processes []*process // in the order in which they registered
	byID      map[counter.Origin]*process
	owners    []ownership
	ledger    []map[counter.Origin]uint64
	counters  map[string]int64
	ids       map[counter.IDRef]counter.IDRow
	timeline  int // how many times it came back from an older state
}

type process struct {
	id         counter.Origin
	leaseUntil ticks
	draining   bool
	closed     bool
}

type ownership struct {
	partition uint32
	owner     counter.Origin
	epoch     uint64
}

// view is who is there and who owns what, in one snapshot.
type view struct {
	known     bool
	processes []seen
	owners    []ownership
}

type seen struct {
	id        counter.Origin
	leaseLeft ticks
	draining  bool
}

func (v *view) find(id counter.Origin) (seen, bool) {
	for _, s := range v.processes {
		if s.id == id {
			return s, true
		}
	}
	return seen{}, false
}

func newStore(partitions int) *store {
	s := &store{byID: make(map[counter.Origin]*process), counters: make(map[string]int64), ids: make(map[counter.IDRef]counter.IDRow)}
	for i := range partitions {
		s.owners = append(s.owners, ownership{partition: uint32(i)})
		s.ledger = append(s.ledger, make(map[counter.Origin]uint64))
	}
	return s
}

func (s *store) view(now ticks) view {
	v := view{known: true, owners: append([]ownership(nil), s.owners...)}
	for _, p := range s.processes {
		if !p.closed {
			v.processes = append(v.processes, seen{p.id, p.leaseUntil - now, p.draining})
		}
	}
	return v
}

// register enters a process with a lease, or renews the lease of one whose registration was answered into the void.
func (s *store) register(id counter.Origin, now ticks) view {
	p := s.byID[id]
	if p == nil {
		p = &process{id: id}
		s.byID[id] = p
		s.processes = append(s.processes, p)
	}
	p.leaseUntil = max(p.leaseUntil, now+leaseTTL)
	return s.view(now)
}

// renewal is the answer to a process that renews its lease.
type renewal struct {
	view
	missing  bool // the process is not known
	closed   bool
	timeline int
}

// renew extends a lease.
func (s *store) renew(id counter.Origin, now ticks) renewal {
	p := s.byID[id]
	if p == nil || p.closed {
		return renewal{missing: p == nil, closed: p != nil}
	}
	p.leaseUntil = max(p.leaseUntil, now+leaseTTL)
	return renewal{view: s.view(now), timeline: s.timeline}
}

// close ends a process all of whose operations are persisted: its ledger rows go with it.
func (s *store) close(id counter.Origin) {
	if p := s.byID[id]; p != nil {
		p.closed = true
	}
	for _, rows := range s.ledger {
		delete(rows, id)
	}
}

// claim gives id those of the partitions that still stand as given and whose owner has no lease.
func (s *store) claim(id counter.Origin, want []ownership, now ticks) (won []ownership) {
	if p := s.byID[id]; p == nil || p.closed || p.leaseUntil <= now {
		return nil
	}
	for _, o := range want {
		row := &s.owners[o.partition]
		if *row != o {
			continue
		}
		if p := s.byID[row.owner]; p != nil && !p.closed && p.leaseUntil > now {
			continue
		}
		row.owner, row.epoch = id, row.epoch+1
		won = append(won, *row)
	}
	return won
}

// adoption is what new owners start from, in one snapshot.
type adoption struct {
	ledger    map[uint32]map[counter.Origin]uint64
	processes []seen
	audit     map[uint32]*opening // what the auditor says of the same moment
}

func (s *store) adopt(partitions []ownership, now ticks) adoption {
	a := adoption{ledger: make(map[uint32]map[counter.Origin]uint64), processes: s.view(now).processes}
	for _, o := range partitions {
		a.ledger[o.partition] = copyRows(s.ledger[o.partition])
	}
	return a
}

func copyRows(rows map[counter.Origin]uint64) map[counter.Origin]uint64 {
	out := make(map[counter.Origin]uint64, len(rows))
	for id, n := range rows {
		out[id] = n
	}
	return out
}

// snapshot is the answer to a read of counters.
type snapshot struct {
	values map[string]int64
	rows   map[counter.IDRef]counter.IDRow
	ledger map[uint32]map[counter.Origin]uint64
}

func (s *store) read(keys []string, ids []counter.IDRef, partitions []uint32) snapshot {
	r := snapshot{values: make(map[string]int64), rows: make(map[counter.IDRef]counter.IDRow), ledger: make(map[uint32]map[counter.Origin]uint64)}
	for _, ref := range ids {
		if row, ok := s.ids[ref]; ok {
			r.rows[ref] = row
		}
	}
	for _, k := range keys {
		if v, ok := s.counters[k]; ok {
			r.values[k] = v
		}
	}
	for _, p := range partitions {
		r.ledger[p] = copyRows(s.ledger[p])
	}
	return r
}

// drain marks a process as leaving.
func (s *store) drain(id counter.Origin) {
	if row := s.byID[id]; row != nil {
		row.draining = true
	}
}
