package sim

import "github.com/pinocchio-nose/pinocchio/counter"

// control renews the lease, learns who owns what, and brings this node's partitions nearer to what it believes the ring wants.
func (n *node) control() {
	switch {
	case n.controlling:
	case len(n.handed) > 0:
		n.controlling = true
		take := n.handed
		n.handed = nil
		n.adopt(take, false, n.controlled)
	case n.wanted || n.w.now >= n.nextRound:
		n.controlling, n.wanted = true, false
		n.round()
	}
}

func (n *node) controlled() { n.controlling = false }

// round is one step of the control loop.
func (n *node) round() {
	n.nextRound = n.w.now + roundEvery
	sent := n.w.now
	n.rounds++
	n.rewind.known = n.epochs()
	ask(n, func() renewal { return n.w.store.renew(n.id, n.w.now) }, func(r renewal, o outcome) {
		if o != answered {
			n.nextRound = n.w.now + roundEvery/2
			n.controlled()
			return
		}
		if r.missing {
			n.reregister()
			return
		}
		if r.closed {
			n.w.mustBe(n.closing, "R12", "%s was closed while it ran", n.name)
			return
		}
		n.viewOf = n.rounds
		n.storeAnswered()
		n.rewind.timeline = r.timeline
		// Only a node that has learned what it lost may trust its lease again.
		n.heed(r.view)
		if !n.closing {
			n.trustUntil = max(n.trustUntil, sent+leaseTrust)
		}
		n.startAfresh(func() {
			n.reclaim(func() {
				n.adopt(n.mine(), true, func() {
					n.claim(func() {
						n.release()
						n.verify(func() { n.letGo(); n.controlled() })
					})
				})
			})
		})
	})
}

// heed takes note of the owners and of who came and went.
func (n *node) heed(v view) {
	n.view = v
	if s, there := v.find(n.id); there && n.leaving && !s.draining { // the store went back to before it was told
		ask(n, func() bool { n.w.store.drain(n.id); return true }, func(bool, outcome) {})
	}
	for _, o := range v.owners {
		if o.owner != (counter.Origin{}) { // it may be this node itself, at a later epoch than the one that it still acts at
			n.parts[o.partition].learnStored(o)
		}
	}
	for _, p := range n.parts {
		if p.Phase() == counter.Following {
			continue
		}
		for _, s := range v.processes {
			p.AddOrigin(s.id)
		}
		for _, id := range sorted(p.Origins()) {
			if _, there := v.find(id); !there {
				p.RemoveOrigin(id)
			}
		}
		for _, id := range sorted(p.Settling()) {
			if s, there := v.find(id); !there || s.leaseLeft <= 0 && !n.haunted(id) {
				n.w.mark(markSettledByLease)
				p.StopAwaiting(id)
			}
		}
		p.excuseAbsent(v.processes)
	}
	n.resendCopies()
}

// learn takes note of an owner, as somebody told it.
func (p *part) learn(o ownership) { p.heard(o, p.Learn) }

// learnStored takes note of an owner, as the store says.
func (p *part) learnStored(o ownership) { p.heard(o, p.LearnStored) }

func (p *part) heard(o ownership, learn func(counter.Origin, uint64) bool) {
	was := p.Phase()
	p.watch(func() {
		if !learn(o.owner, o.epoch) {
			return
		}
		p.retryAt = 0
		if was != counter.Following {
			p.n.w.mark(markZombie)
			p.n.w.logf("%s lost partition %d to %s at epoch %d", p.n.name, p.id, p.n.w.name(o.owner), o.epoch)
		}
	})
}

// mine are the partitions that the store says are this node's, though it does not act as their owner.
func (n *node) mine() (take []ownership) {
	for _, o := range n.view.owners {
		p := n.parts[o.partition]
		if _, waits := n.rewind.afresh[o.partition]; waits {
			continue
		}
		if _, epoch := p.Owner(); o.owner == n.id && p.Phase() == counter.Following && epoch <= o.epoch {
			take = append(take, o)
			if n.w.audit.handed[o.partition] == o.epoch {
				n.w.mark(markHandOverUnheard)
			} else {
				n.w.mark(markTakeOverUnheard)
			}
		}
	}
	return take
}

// claim takes what this node should own and nobody with a lease does.
func (n *node) claim(then func()) {
	var want []ownership
	for _, o := range n.view.owners {
		mine := n.opinion[o.partition] == n.slot || n.w.fault(5)
		if n.leaving {
			mine = !n.successors() // when all are leaving, somebody must take what the first ones leave
		}
		if !mine || o.owner == n.id {
			continue
		}
		if s, there := n.view.find(o.owner); !there || s.leaseLeft <= 0 {
			want = append(want, o)
		}
	}
	if len(want) == 0 {
		then()
		return
	}
	ask(n, func() []ownership { return n.w.store.claim(n.id, want, n.w.now) }, func(won []ownership, o outcome) {
		if o != answered || len(won) == 0 {
			then() // if it was done all the same, the next round finds them in mine
			return
		}
		n.w.mark(markTakeOver)
		n.adopt(won, true, then)
	})
}

// adopt makes this node the acting owner of partitions that are its own in the store. After anything but a hand-over that the
// old owner itself told of, it awaits what that one may have answered (R8).
func (n *node) adopt(take []ownership, settle bool, then func()) {
	if len(take) == 0 {
		then()
		return
	}
	ask(n, func() adoption {
		a := n.w.store.adopt(take, n.w.now)
		a.audit = n.w.audit.opening(take)
		return a
	}, func(a adoption, o outcome) {
		if n.closing { // the rounds have ended: what is acquired now would start from a ledger without this process' rows
			return
		}
		if o != answered {
			n.wanted = true // the next round finds them in mine
			then()
			return
		}
		var origins, await []counter.Origin
		for _, s := range a.processes {
			origins = append(origins, s.id)
			if settle && s.id != n.id && (s.leaseLeft > 0 || n.haunted(s.id)) {
				await = append(await, s.id)
			}
		}
		for _, own := range take {
			p := n.parts[own.partition]
			if _, known := p.Owner(); p.Phase() != counter.Following || known > own.epoch {
				continue
			}
			if p.Dropped(own.epoch) {
				n.w.mark(markDropped)
				n.rewind.afresh[p.id] = own.epoch
				continue
			}
			p.acquire(own, &a, origins, await, settle)
			if !n.alive {
				return
			}
		}
		then()
	})
}

func (p *part) acquire(own ownership, a *adoption, origins, await []counter.Origin, settle bool) {
	w := p.n.w
	w.logf("%s owns partition %d at epoch %d, settle %v, ledger %v", p.n.name, p.id, own.epoch, settle, a.ledger[p.id])
	p.tenure = w.audit.begin(p, own.epoch, a.audit[p.id])
	had := p.Persisted()
	if !p.Acquire(own.epoch, a.ledger[p.id], origins, await) {
		p.n.tooOld(p, a.ledger[p.id][p.n.id])
		return
	}
	if p.Persisted() < had {
		w.mark(markRestoreAcquire)
	}
	w.audit.ownOutbox(p)
	if len(await) > 0 {
		w.mark(markSettleWait)
	}
	if settle {
		p.excuseAbsent(a.processes)
	}
	for _, other := range w.slots {
		p.n.tell(other, own, false)
	}
}

// excuseAbsent notes whose operations a new owner need not await: those of processes without a lease.
func (p *part) excuseAbsent(processes []seen) {
	for _, s := range processes {
		if s.id == p.n.id || s.leaseLeft > 0 {
			continue
		}
		if p.n.haunted(s.id) {
			continue // its sections bring what is left of it, and the excuse
		}
		if p.n.w.byID[s.id].alive {
			p.n.w.mark(markUnawaited)
		}
		p.tenure.excuse(s.id)
	}
}

// tell gives a peer the news of an owner; it may be lost. graceful: this node owned the partition until then and left nothing behind.
func (n *node) tell(peer *node, own ownership, graceful bool) {
	if peer == nil || peer == n {
		return
	}
	call(n, peer, func() (bool, bool) {
		if own.owner != peer.id {
			peer.parts[own.partition].learn(own)
		} else if graceful {
			peer.parts[own.partition].learn(own)
			peer.handed = append(peer.handed, own)
		}
		return true, true
	}, func(bool, bool) {})
}

// release starts to hand over what this node believes others should own.
func (n *node) release() {
	for _, p := range n.parts {
		to := n.w.slots[n.opinion[p.id]]
		if p.Phase() != counter.Owning || to == nil || to == n {
			continue
		}
		if s, there := n.view.find(to.id); !there || s.draining || s.leaseLeft <= 0 {
			continue
		}
		if n.w.tracing() {
			n.w.logf("%s releases partition %d to %s", n.name, p.id, to.name)
		}
		p.Release(to.id)
		if p.Phase() == counter.Owning {
			n.w.mark(markReleaseWaits)
		}
	}
}
