package sim

// latency of a message between processes, or to or from the store.
func (w *world) latency(slow int) ticks {
	if w.fault(slow) {
		return w.between(20, 200) // maybe beyond the sender's patience
	}
	return w.between(1, 8)
}

func pair(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// call is a request between two processes. serve runs at the receiver, maybe twice, maybe never; with false it gives no answer.
// done runs at the sender, once: with the answer, or without one when it did not come in time.
func call[T any](from, to *node, serve func() (T, bool), done func(T, bool)) {
	w := from.w
	over := false
	finish := func(a T, ok bool) {
		if !over {
			over = true
			done(a, ok)
		}
	}
	from.after(callTimeout, func() {
		var none T
		finish(none, false)
	})
	lost := func() bool { return w.cut[pair(from.slot, to.slot)] || w.fault(w.cfg.loss) }
	arrive := func() {
		to.run(func() {
			a, ok := serve()
			if !ok || lost() {
				return
			}
			from.after(w.latency(w.cfg.slow), func() { finish(a, true) })
		})
	}
	if lost() {
		return
	}
	w.at(w.latency(w.cfg.slow), arrive)
	if w.fault(w.cfg.repeat) {
		w.mark(markRepeated)
		w.at(w.latency(w.cfg.slow), arrive)
	}
}

// outcome of a statement, as its sender sees it.
type outcome uint8

const (
	answered outcome = iota
	nothing          // nothing was written, and that is sure
	unknown          // it may have been applied, or may be yet
)

// ask is a call of the store. do runs at one moment, if it gets there: that may be after the sender has given up.
func ask[T any](n *node, do func() T, done func(T, outcome)) {
	w := n.w
	over := false
	finish := func(a T, o outcome) {
		if !over {
			over = true
			done(a, o)
		}
	}
	var none T
	n.after(storeTimeout, func() { finish(none, unknown) })
	lost := func() bool { return w.cut[pair(storeSlot, n.slot)] || w.fault(w.cfg.storeLoss) }
	if lost() {
		return
	}
	timeline := w.store.timeline
	w.at(w.latency(w.cfg.storeSlow), func() {
		if timeline != w.store.timeline {
			return // the connection broke
		}
		if !w.up {
			n.after(1, func() { finish(none, nothing) })
			return
		}
		if over || !n.alive {
			w.mark(markLateStatement)
		}
		a := do()
		if !lost() {
			n.after(w.latency(w.cfg.storeSlow), func() { finish(a, answered) })
		}
	})
}
