package journal_test

import (
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// FuzzRecover reads any file as a segment. shape says what the bytes are: the file itself, a file behind a right header, or
// a record's body under a right checksum, alone or before another record. Whatever is accepted must be whole: written
// again, it comes back the same.
func FuzzRecover(f *testing.F) {
	cfg := onDisk(nil)
	whole := journal.Segment(cfg, 1, 0, journal.Body(1, 1, ops(1, 3, 9)...), journal.Body(2, 7), journal.Body(2, 7, ops(7, 1, 0)...))
	f.Add(byte(0), whole)
	f.Add(byte(0), whole[:len(whole)-3])
	f.Add(byte(0), whole[:30])
	f.Add(byte(1), whole[journal.HeaderBytes:])
	f.Add(byte(1), make([]byte, 600))
	f.Add(byte(2), journal.Body(1, 1, ops(1, 2, 5)...)[9:])
	f.Add(byte(2), []byte{1, 1, 255, 255, 255, 255, 15})
	f.Add(byte(3), append(journal.Body(9, 3, ops(3, 2, 5)...)[9:], journal.Body(9, 4, ops(4, 2, 5)...)[9:]...))
	f.Add(byte(3), journal.Body(1, 9)[9:])
	f.Fuzz(func(t *testing.T, shape byte, data []byte) {
		cfg := onDisk(nil)
		content := data
		switch shape % 4 {
		case 1:
			content = append(journal.Segment(cfg, 1, 0), data...)
		case 2:
			content = journal.Segment(cfg, 1, 0, clip(data))
		case 3:
			content = journal.Segment(cfg, 1, 0, clip(data), journal.Body(1, 9, ops(9, 1, 1)...))
		}
		cfg.FS = image{}.disk(t, cfg, journal.SegmentPath(cfg, 1), content)
		olds, err := journal.Recover(restarted(cfg))
		if err != nil || len(olds) == 0 {
			return
		}
		again := onDisk(disktest.New())
		again.SegmentBytes = 1 << 20
		l := create(t, again)
		for p, s := range olds[0].Streams {
			if s.First == 0 || len(s.Ops) == 0 {
				t.Fatalf("partition %d came back with %d operations from %d", p, len(s.Ops), s.First)
			}
			l.Append(p, s.First, s.Ops)
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
		streamsAre(t, recovered(t, unlocked(t, l, again)), olds[0].Streams)
	})
}

// clip makes a record's body of any bytes.
func clip(data []byte) []byte {
	return journal.Raw(1, data[:min(len(data), journal.MaxRecordBytes-9)])
}
