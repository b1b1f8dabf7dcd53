package journal_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pinocchio-nose/pinocchio/journal"
	"github.com/pinocchio-nose/pinocchio/journal/disktest"
)

// written is a log of several segments, and where its records begin.
type written struct {
	image image
	paths []string // segments, oldest first
	last  int64    // where the last record begins
	whole map[uint32]journal.Stream
	less  map[uint32]journal.Stream // without the last record
}

func write(t *testing.T, cfg journal.Config) written {
	t.Helper()
	d := disktest.New()
	cfg.FS = d
	l := create(t, cfg)
	synced(t, l, 1, 1, ops(1, 2, 900))
	synced(t, l, 2, 1, ops(1, 1, 900))
	synced(t, l, 1, 3, ops(3, 2, 900)) // the second segment begins
	synced(t, l, 2, 2, ops(2, 1, 60))
	sealed := l.Bytes()
	synced(t, l, 1, 5, ops(5, 2, 80))
	if l.Segments() != 2 {
		t.Fatalf("%d segments, want 2", l.Segments())
	}
	unlocked(t, l, cfg)
	w := written{image: imageOf(t, d, cfg)}
	w.paths = slices.Sorted(maps.Keys(w.image))
	w.last = sealed - int64(len(w.image[w.paths[0]]))
	w.whole = map[uint32]journal.Stream{1: {First: 1, Ops: ops(1, 6, 900)}, 2: {First: 1, Ops: ops(1, 2, 900)}}
	copy(w.whole[1].Ops[4:], ops(5, 2, 80))
	copy(w.whole[2].Ops[1:], ops(2, 1, 60))
	w.less = maps.Clone(w.whole)
	w.less[1] = journal.Stream{First: 1, Ops: w.whole[1].Ops[:4]}
	return w
}

// TestRecover_CutsOffATornTail tears the last record at every byte, and fills what is missing with zeros and with noise.
func TestRecover_CutsOffATornTail(t *testing.T) {
	cfg := onDisk(nil)
	w := write(t, cfg)
	path := w.paths[1]
	content := w.image[path]
	rng := rand.New(rand.NewPCG(1, 1))
	for cut := w.last; cut < int64(len(content)); cut++ {
		zeros, noise := slices.Clone(content), slices.Clone(content)
		clear(zeros[cut:])
		for i := cut; i < int64(len(noise)); i++ {
			noise[i] ^= byte(1 + rng.IntN(255))
		}
		for name, torn := range map[string][]byte{"short": content[:cut], "zeros": zeros, "noise": noise} {
			if slices.Equal(torn, content) {
				continue // the record ends in zeros
			}
			t.Run(fmt.Sprintf("%s at %d", name, cut), func(t *testing.T) {
				log, lines := logged()
				d := w.image.disk(t, cfg, path, torn)
				cfg := cfg
				cfg.FS, cfg.Logger = d, log
				streamsAre(t, recovered(t, cfg), w.less)
				if int64(len(torn)) > w.last && lines.Len() == 0 {
					t.Error("nothing was logged of what was cut off")
				}
				if n := int64(len(imageOf(t, d, cfg)[path])); n != w.last {
					t.Errorf("the file has %d bytes, want %d", n, w.last)
				}
				lines.Reset()
				if streamsAre(t, recovered(t, cfg), w.less); lines.Len() != 0 {
					t.Errorf("the second time it was cut again: %s", lines)
				}
			})
		}
	}
}

// TestRecover_RefusesAFlippedBit flips each bit of the log. Before the last record every flip is found; within it, at most
// that record goes, as if it had been torn.
func TestRecover_RefusesAFlippedBit(t *testing.T) {
	cfg := onDisk(nil)
	w := write(t, cfg)
	for i, path := range w.paths {
		content := w.image[path]
		for bit := range len(content) * 8 {
			at := int64(bit / 8)
			if i == 0 && at > journal.HeaderBytes+64 && at < int64(len(content))-64 && bit%8 != int(at%8) {
				continue // within long keys, one bit of each byte
			}
			flipped := slices.Clone(content)
			flipped[at] ^= 1 << (bit % 8)
			cfg := cfg
			cfg.FS = w.image.disk(t, cfg, path, flipped)
			olds, err := journal.Recover(restarted(cfg))
			if i == 1 && at >= w.last && err == nil {
				streamsAre(t, olds[0], w.less)
				continue
			}
			if err == nil {
				t.Fatalf("bit %d of byte %d of %s flipped, and nobody noticed", bit%8, at, path)
			}
			if !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrFormat) {
				t.Fatalf("byte %d of %s: %v", at, path, err)
			}
		}
	}
}

func TestRecover_SaysWhereTheDamageIsAndWhatToDo(t *testing.T) {
	cfg := onDisk(nil)
	w := write(t, cfg)
	flipped := slices.Clone(w.image[w.paths[0]])
	flipped[journal.HeaderBytes+journal.FrameBytes+40] ^= 4
	cfg.FS = w.image.disk(t, cfg, w.paths[0], flipped)
	err := refused(t, cfg)
	var damage *journal.DamageError
	if !errors.As(err, &damage) || damage.File != w.paths[0] || damage.Offset != journal.HeaderBytes {
		t.Errorf("got %#v, want %s at byte %d", damage, w.paths[0], journal.HeaderBytes)
	}
	says(t, err, w.paths[0], "byte 72", "Nothing of this log was replayed", "Restore the file", "move the folder", writer.String())
}

// TestRecover_RefusesALossInTheMiddle takes away whole pieces, whose absence no checksum shows.
func TestRecover_RefusesALossInTheMiddle(t *testing.T) {
	cfg := onDisk(nil)
	w := write(t, cfg)
	first, second := w.paths[0], w.paths[1]
	content, end := w.image[first], len(w.image[second])
	record := len(content) - (len(journal.Body(2, 1, ops(1, 1, 900)...)) + journal.FrameBytes) // where the first segment's last one begins
	for name, c := range map[string]struct {
		path    string
		content []byte
		words   []string
	}{
		"a record at the end of an earlier segment": {first, content[:record], []string{"when the next segment was made"}},
		"half a record of an earlier segment":       {first, content[:record+20], []string{"only"}},
		"zeros behind an earlier segment":           {first, append(slices.Clone(content), 0, 0), []string{"2 bytes are no record"}},
		"an earlier segment's content":              {first, content[:0], []string{"header"}},
		"the last segment's header":                 {second, append(make([]byte, journal.HeaderBytes), w.image[second][journal.HeaderBytes:]...), []string{"header"}},
		"a record before the last one":              {second, slices.Delete(slices.Clone(w.image[second]), journal.HeaderBytes, int(w.last)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			cfg.FS = w.image.disk(t, cfg, c.path, c.content)
			if name == "a record before the last one" {
				// What is left cannot pass where it stands now, and nothing that can follows: it is taken for torn. Only an
				// edit can do this; the store's ledger shows the gap.
				streamsAre(t, recovered(t, cfg), map[uint32]journal.Stream{
					1: {First: 1, Ops: w.whole[1].Ops[:2]}, 2: {First: 1, Ops: w.whole[2].Ops[:1]},
				})
				return
			}
			err := refused(t, cfg)
			if !errors.Is(err, journal.ErrDamaged) {
				t.Errorf("got %v", err)
			}
			says(t, err, c.words...)
		})
	}
	t.Run("a segment", func(t *testing.T) {
		cfg := cfg
		three := image{}
		maps.Copy(three, w.image)
		third := journal.SegmentPath(cfg, 3)
		three[third] = journal.Segment(cfg, 3, uint64(end), journal.Body(1, 7, ops(7, 1, 9)...))
		cfg.FS = three.disk(t, cfg, second, nil)
		says(t, refused(t, cfg), second, "missing")
	})
	t.Run("more than one record at the end", func(t *testing.T) {
		cfg := cfg
		cfg.FS = w.image.disk(t, cfg, second, append(slices.Clone(w.image[second]), make([]byte, journal.MaxRecordBytes+100)...))
		says(t, refused(t, cfg), "more than one interrupted write")
	})
}

// TestRecover_RefusesAStrangersBlock puts a segment, and a record of one, where a file system might have lost them.
func TestRecover_RefusesAStrangersBlock(t *testing.T) {
	cfg := onDisk(nil)
	w, v := write(t, cfg), write(t, cfg)
	path := w.paths[0]
	if err := func() error { // the same record, of the same origin, segment and place: only the random part differs
		cfg := cfg
		mixed := append(slices.Clone(w.image[path][:journal.HeaderBytes]), v.image[path][journal.HeaderBytes:]...)
		cfg.FS = w.image.disk(t, cfg, path, mixed)
		return refused(t, cfg)
	}(); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("another file's record: %v", err)
	}
	other := cfg
	other.Origin = reader
	cfg.FS = w.image.disk(t, cfg, path, journal.Segment(other, 1, 0, journal.Body(1, 1, ops(1, 2, 900)...)))
	cfg.Origin = writer
	olds := restarted(cfg)
	olds.Origin = [16]byte{1}
	if _, err := journal.Recover(olds); err == nil {
		t.Error("another origin's segment was accepted")
	} else {
		says(t, err, "does not belong here")
	}
	cfg.FS = w.image.disk(t, cfg, path, w.image[w.paths[1]])
	says(t, refused(t, cfg), "segment 2 of origin", "does not belong here")
}
