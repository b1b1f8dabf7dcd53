package wire

import (
	"encoding/binary"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Version of the format. A node refuses another one: upgrade one version at a time.
const Version = 1

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
	for i := range s.Ops {
		op := &s.Ops[i]
		b = append(b, byte(op.Flags))
		b = binary.AppendVarint(b, op.Delta)
		b = binary.AppendUvarint(b, uint64(len(op.Key)))
		b = append(b, op.Key...)
	}
	return b
}

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
	n := r.count(3)
	if n > 0 {
		s.Ops = make([]counter.Op, 0, n)
	}
	for ; n > 0 && r.err == nil; n-- {
		op := counter.Op{Flags: counter.Flags(r.byte()), Delta: r.varint()}
		key := r.take(r.count(1))
		op.Key = unsafe.String(unsafe.SliceData(key), len(key))
		s.Ops = append(s.Ops, op)
	}
	if s.First == 0 {
		r.fail("a section starts at number 0")
	}
	return s
}

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}
