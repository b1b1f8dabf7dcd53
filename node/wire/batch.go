package wire

import (
	"encoding/binary"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Version of the format. A node refuses another one: upgrade one version at a time.
const Version = 2

// Route says who owns a partition since an epoch.
type Route struct {
	Partition uint32
	Epoch     uint64
	Owner     counter.Origin
	// Graceful: the sender owned the partition, flushed everything that it had applied, and handed it over.
	Graceful bool
}

// Progress says that the store has the receiver's operations of a partition up to Number.
type Progress struct {
	Partition uint32
	Number    uint64
}

// Header opens each request.
type Header struct {
	Cluster uint64 // digest of the cluster's name and settings
	Sender  counter.Origin
}

// Batch is one request between nodes, decoded.
type Batch struct {
	Header
	Origin   counter.Origin // whose operations these are
	Routes   []Route
	Progress []Progress
	Sections []counter.Section
}

// AppendHeader appends the header of a request.
func AppendHeader(b []byte, h Header) []byte {
	b = append(b, Version)
	b = binary.BigEndian.AppendUint64(b, h.Cluster)
	return append(b, h.Sender[:]...)
}

// AppendRoutes appends the batch's routes.
func AppendRoutes(b []byte, routes []Route) []byte {
	b = binary.AppendUvarint(b, uint64(len(routes)))
	for _, r := range routes {
		b = binary.AppendUvarint(b, uint64(r.Partition))
		b = binary.AppendUvarint(b, r.Epoch)
		b = append(b, r.Owner[:]...)
		b = append(b, flag(r.Graceful, 1))
	}
	return b
}

// AppendProgress appends the batch's progress notes.
func AppendProgress(b []byte, progress []Progress) []byte {
	b = binary.AppendUvarint(b, uint64(len(progress)))
	for _, p := range progress {
		b = binary.AppendUvarint(b, uint64(p.Partition))
		b = binary.AppendUvarint(b, p.Number)
	}
	return b
}

// AppendSection appends one section; the count of sections goes before the first.
func AppendSection(b []byte, s *counter.Section) []byte {
	b = binary.AppendUvarint(b, uint64(s.Partition))
	b = binary.AppendUvarint(b, s.Epoch)
	b = binary.AppendUvarint(b, s.First)
	b = binary.AppendUvarint(b, s.Answered)
	b = binary.AppendUvarint(b, uint64(len(s.Ops)))
	return appendOps(b, s.Ops)
}

// opHasID is set in an operation's flags when an idempotency key follows.
const opHasID = 1 << 7

func appendOps(b []byte, ops []counter.Op) []byte {
	for i := range ops {
		op := &ops[i]
		b = append(b, byte(op.Flags)|flag(op.ID != "", opHasID))
		b = binary.AppendVarint(b, op.Delta)
		b = binary.AppendUvarint(b, uint64(len(op.Key)))
		b = append(b, op.Key...)
		if op.ID != "" {
			b = binary.AppendUvarint(b, uint64(len(op.ID)))
			b = append(b, op.ID...)
		}
	}
	return b
}

// AppendOrigin appends the batch's origin behind its header.
func AppendOrigin(b []byte, o counter.Origin) []byte { return append(b, o[:]...) }

// DecodeHeader reads the header and returns what follows.
func DecodeHeader(b []byte) (h Header, rest []byte, err error) {
	r := reader{b: b}
	r.header(&h)
	return h, r.b, r.err
}

// Decode reads a batch into m, reusing its slices. Keys alias b.
func (m *Batch) Decode(b []byte) error {
	r := reader{b: b}
	r.header(&m.Header)
	m.Origin = r.id()
	m.Routes, m.Progress, m.Sections = m.Routes[:0], m.Progress[:0], m.Sections[:0]
	for n := r.count(19); n > 0 && r.err == nil; n-- {
		m.Routes = append(m.Routes, Route{Partition: r.u32(), Epoch: r.uvarint(), Owner: r.id(), Graceful: r.byte()&1 != 0})
	}
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		m.Progress = append(m.Progress, Progress{Partition: r.u32(), Number: r.uvarint()})
	}
	for n := r.count(5); n > 0 && r.err == nil; n-- {
		m.Sections = append(m.Sections, r.section())
	}
	return r.end()
}

func (r *reader) header(h *Header) {
	if v := r.byte(); v != Version && r.err == nil {
		r.fail("version %d, this node speaks %d", v, Version)
	}
	if b := r.take(8); b != nil {
		h.Cluster = binary.BigEndian.Uint64(b)
	}
	h.Sender = r.id()
}

func (r *reader) section() counter.Section {
	s := counter.Section{Partition: r.u32(), Epoch: r.uvarint(), First: r.uvarint(), Answered: r.uvarint()}
	s.Ops = r.ops()
	if s.First == 0 {
		r.fail("a section starts at number 0")
	}
	return s
}

func (r *reader) ops() (ops []counter.Op) {
	n := r.count(3)
	if n > 0 {
		// An operation takes many times its bytes here: what is announced is believed only a part at a time.
		ops = make([]counter.Op, 0, min(n, 1024))
	}
	for ; n > 0 && r.err == nil; n-- {
		flags := r.byte()
		op := counter.Op{Flags: counter.Flags(flags &^ opHasID), Delta: r.varint()}
		op.Key = r.text()
		if flags&opHasID != 0 {
			if op.ID = r.text(); op.ID == "" {
				r.fail("an empty idempotency key")
			}
		}
		if op.Key == "" {
			r.fail("an empty key")
		}
		ops = append(ops, op)
	}
	return ops
}

// text aliases the input.
func (r *reader) text() string {
	b := r.take(r.count(1))
	return unsafe.String(unsafe.SliceData(b), len(b))
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}
