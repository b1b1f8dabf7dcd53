package sim

import "github.com/pinocchio-nose/pinocchio/counter"

// planFaults spreads the history's faults over its time.
func (w *world) planFaults() {
	plan := func(times int, do func()) {
		for range times {
			w.at(w.between(1, w.cfg.until), func() {
				if !w.calm {
					do()
				}
			})
		}
	}
	plan(w.cfg.crashes, w.crashOne)
	plan(w.cfg.logFaults, w.failLog)
	if w.cfg.lostHost {
		plan(1, w.loseHost)
	}
	plan(w.cfg.rewinds, w.rewindStore)
	plan(w.cfg.pauses, w.pauseOne)
	plan(w.cfg.cuts, w.cutOne)
	plan(w.cfg.outages, w.outage)
	plan(w.cfg.leaves, w.leaveOne)
	plan(w.cfg.opinions, w.changeOpinion)
}

func (w *world) victim() *node { return w.slots[w.rng.IntN(len(w.slots))] }

func (w *world) crashOne() {
	n := w.victim()
	if n == nil {
		return
	}
	n.crash()
	slot := n.slot
	w.at(w.between(5, 2*leaseTTL), func() { w.start(slot) })
}

func (w *world) leaveOne() {
	n := w.victim()
	if n == nil || !n.ready || n.paused || n.leaving {
		return
	}
	n.leaving = true
	w.logf("%s is leaving", n.name)
	n.w.store.drain(n.id)
	for i := range n.opinion {
		n.opinion[i] = w.otherSlot(n.slot)
	}
}

func (w *world) otherSlot(slot int) int {
	return (slot + 1 + w.rng.IntN(len(w.slots)-1)) % len(w.slots)
}

func (w *world) pauseOne() {
	n := w.victim()
	if n == nil || n.paused {
		return
	}
	d := w.between(5, 100)
	if w.chance(60) {
		d = w.between(leaseTTL, 3*leaseTTL)
	}
	n.paused = true
	w.logf("%s pauses for %d", n.name, d)
	w.at(d, func() {
		if n.alive && n.paused {
			if d > leaseTTL {
				w.mark(markPause)
			}
			n.resume()
		}
	})
}

func (w *world) cutOne() {
	a, b := w.rng.IntN(len(w.slots)), w.rng.IntN(len(w.slots)+1)-1
	if a == b {
		return
	}
	k := pair(a, b)
	w.mark(markCut)
	w.logf("cut %v", k)
	w.cut[k] = true
	w.at(w.between(20, 2*leaseTTL), func() { delete(w.cut, k) })
}

func (w *world) outage() {
	w.up = false
	w.mark(markOutage)
	w.logf("store down")
	w.at(w.between(20, 2*leaseTTL), func() { w.up = true; w.logf("store up") })
}

// changeOpinion makes some processes believe in another ring: not all of them, and not in the same one.
func (w *world) changeOpinion() {
	p, slot := w.rng.IntN(w.cfg.partitions), w.rng.IntN(len(w.slots))
	for _, n := range w.slots {
		if n != nil && !n.leaving && w.chance(70) {
			n.opinion[p] = slot
		}
	}
}

// wish is where a process that has just started believes a partition to belong.
func (w *world) wish(p int) int { return p % len(w.slots) }

// endFaults heals everything. Processes that have crashed may stay away, but not all of them.
func (w *world) endFaults() {
	w.calm, w.up = true, true
	clear(w.cut)
	w.logf("calm")
	present := 0
	for _, n := range w.slots {
		if n == nil {
			continue
		}
		if n.paused {
			n.resume()
		}
		if !n.leaving {
			present++
		}
	}
	if present == 0 {
		for slot := range w.slots {
			w.start(slot)
			if w.slots[slot] != nil && !w.slots[slot].leaving {
				break
			}
		}
	}
	w.agree()
}

// agree lets all processes see the same ring again, and again as long as somebody comes or goes.
func (w *world) agree() {
	var stay []int
	for slot, n := range w.slots {
		if n != nil && n.ready && !n.leaving {
			stay = append(stay, slot)
		}
	}
	for _, n := range w.slots {
		for p := 0; n != nil && len(stay) > 0 && p < w.cfg.partitions; p++ {
			n.opinion[p] = stay[p%len(stay)]
		}
	}
	w.at(roundEvery, w.agree)
}

// quiet says that nothing is pending anywhere (R12).
func (w *world) quiet() bool { return len(w.unrest()) == 0 }

// unrest names what is still to come to rest.
func (w *world) unrest() (what []string) {
	owned := make([]int, w.cfg.partitions)
	for slot, n := range w.slots {
		if n == nil {
			if w.hosts[slot].crashed {
				what = append(what, "a crashed host is still down")
			}
			continue
		}
		if len(n.ghosts) > 0 {
			what = append(what, n.name+" resends a log")
		}
		if n.holdsForTheDead() {
			what = append(what, n.name+" holds copies of what is gone")
		}
		if !n.ready || n.leaving || n.flights > 0 {
			what = append(what, n.name+" is starting, leaving or flushing")
		}
		if len(n.rewind.afresh) > 0 || n.rewind.verified < w.store.timeline {
			what = append(what, n.name+" has not got over an older state of the store")
		}
		for _, p := range n.parts {
			switch {
			case p.Persisted() > w.store.ledger[p.id][n.id]:
				what = append(what, n.name+" has not heard what the store lost")
			case p.Phase() == counter.Owning && w.store.owners[p.id].owner != n.id:
				what = append(what, n.name+" owns what the store says is another's")
			case p.Pending() > 0:
				what = append(what, n.name+" has operations pending")
			case p.Phase() == counter.Releasing || p.Dirty():
				what = append(what, n.name+" has something to flush")
			case len(p.Settling()) > 0:
				what = append(what, n.name+" is settling")
			case p.Phase() == counter.Owning && !n.trusted():
				what = append(what, n.name+" owns without a lease")
			case p.Phase() == counter.Owning:
				owned[p.id]++
			}
		}
		if len(n.callers) > 0 {
			what = append(what, n.name+" has callers waiting")
		}
	}
	for _, count := range owned {
		if count != 1 {
			what = append(what, "a partition has not exactly one owner")
		}
	}
	return what
}
