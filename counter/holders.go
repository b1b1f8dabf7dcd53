package counter

// ToLog returns at most limit operations that are to be written to the log on disk, in number order, from first on; what the
// store got meanwhile is left out. Their content is fixed from here on (R1). The slice aliases the outbox: encode it under the
// same lock. When they are durable, Logged says so.
func (p *Partition) ToLog(limit int) (first uint64, ops []Op) {
	return p.out.behind(&p.out.logging, limit)
}

// HasToLog says that ToLog would return operations.
func (p *Partition) HasToLog() bool {
	return p.out.hasLog && max(p.out.logging, p.out.persisted) < p.out.last()
}

// Logged notes that the log has everything up to n, and tells those who waited for it.
func (p *Partition) Logged(n uint64) { p.out.safe(&p.out.logged, n, logged) }

// LogFailed tells those who wait for the log that it has failed. Their operations count all the same.
func (p *Partition) LogFailed() {
	p.out.hasLog = false
	p.out.seal(p.out.last()) // nothing joins an operation some of whose callers have been told
	for i := range p.out.ops {
		op := &p.out.ops[i]
		for t := op.waiting; t != nil; t = t.next {
			if t.need&logged != 0 {
				t.Err = ErrNotLogged
			}
		}
		op.got(0)
	}
}

// ToCopy returns at most limit operations that the node which holds a copy lacks, as ToLog does for the log, with everything
// before first in the store. When the other node has them, Copied says so.
func (p *Partition) ToCopy(limit int) (first uint64, ops []Op) {
	return p.out.behind(&p.out.copying, limit)
}

// HasToCopy says that ToCopy would return operations.
func (p *Partition) HasToCopy() bool { return max(p.out.copying, p.out.persisted) < p.out.last() }

// Copied notes that another node holds everything up to n, and tells those who waited for it.
func (p *Partition) Copied(n uint64) { p.out.safe(&p.out.held, n, held) }

// CopyAfresh notes that nobody holds copies any more: another node will get them from the first on that the store lacks.
func (p *Partition) CopyAfresh() { p.out.copying, p.out.held = 0, 0 }

// Hurry asks the owner to flush when it has got the last operation, without waiting for the interval.
func (p *Partition) Hurry() {
	if n := len(p.out.ops); n > 0 {
		p.out.ops[n-1].Flags |= Urgent
	}
}

// LetGo forgets what is kept of operations up to n although the store has them.
func (p *Partition) LetGo(n uint64) { p.out.letGo(n) }

// Kept returns the number before the first operation that this partition could send again.
func (p *Partition) Kept() uint64 { return p.out.persisted - uint64(len(p.out.kept)) }
