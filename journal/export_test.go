package journal

import "time"

// HeaderBytes and FrameBytes place a test's knife.
const (
	HeaderBytes = headerBytes
	FrameBytes  = frameBytes
)

// Segment returns a segment with records of the given bodies, checksums and all, so that a test can write what no Log writes.
func Segment(cfg Config, number, before uint64, bodies ...[]byte) []byte {
	h := header{cluster: cfg.Cluster, origin: cfg.Origin, segment: number, before: before, created: cfg.Now()}
	head, mark := h.encode()
	b := head[:]
	for _, body := range bodies {
		at := len(b)
		b = append(append(b, make([]byte, frameBytes)...), body...)
		frame(b[at:], mark, int64(at), cfg.Now())
	}
	return b
}

// Body returns a record's body with one batch; frame fills in the time.
func Body(partition uint32, first uint64, ops ...Op) []byte {
	var e encoder
	e.open()
	e.batch(partition, first, ops)
	return e.buf[frameBytes:]
}

// Raw returns the body of a record of the given type.
func Raw(kind byte, payload []byte) []byte {
	return append(append([]byte{kind}, make([]byte, bodyBytes-1)...), payload...)
}

// SegmentPath is where a segment stands.
func SegmentPath(cfg Config, number uint64) string {
	return segmentPath(folderOf(cfg, cfg.Origin), number)
}

// Clock returns a clock that stands still, to the millisecond that a log keeps.
func Clock(t time.Time) func() time.Time {
	return func() time.Time { return t.Truncate(time.Millisecond) }
}

// Buffered is what the log's buffer holds on to, in bytes.
func Buffered(l *Log) int { return cap(l.pending.buf) }
