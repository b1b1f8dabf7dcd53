package journal

import "sync/atomic"

// Stats are the log's figures at one moment. Counters only grow.
type Stats struct {
	Bytes    int64  // on disk now, headers included; not what is reserved and still empty
	Segments int    // on disk now
	Ops      uint64 // operations made durable
	Records  uint64 // records made durable: each is one fsync
	Written  uint64 // bytes of these records
	Trimmed  uint64 // segments deleted by Trim
	Failed   bool
}

type counts struct {
	bytes, segments                atomic.Int64
	ops, records, written, trimmed atomic.Uint64
}

func (c *counts) wrote(ops, bytes int) {
	c.bytes.Add(int64(bytes))
	c.ops.Add(uint64(ops))
	c.records.Add(1)
	c.written.Add(uint64(bytes))
}

func (c *counts) made(bytes int64) {
	c.segments.Add(1)
	c.bytes.Add(bytes)
}

func (c *counts) dropped(bytes int64) {
	c.segments.Add(-1)
	c.bytes.Add(-bytes)
	c.trimmed.Add(1)
}

// Bytes is what the log takes on disk now. Safe for concurrent use.
func (l *Log) Bytes() int64 { return l.counts.bytes.Load() }

// Segments is the number of files that the log has now. Safe for concurrent use.
func (l *Log) Segments() int { return int(l.counts.segments.Load()) }

// Stats returns the log's figures. Safe for concurrent use.
func (l *Log) Stats() Stats {
	return Stats{
		Bytes:    l.Bytes(),
		Segments: l.Segments(),
		Ops:      l.counts.ops.Load(),
		Records:  l.counts.records.Load(),
		Written:  l.counts.written.Load(),
		Trimmed:  l.counts.trimmed.Load(),
		Failed:   l.failure.Load() != nil,
	}
}
