package node

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// losses are the operations that are known to be lost: the store lacks them, and nobody holds them any more. Who finds that out about
// itself stops within the second, before anybody reads its metrics; so they also stand in a file beside the log, and the
// next process of this node shows them. They stay there until somebody who has seen to them removes the file.
type losses struct {
	path string // "": in memory only

	mu    sync.Mutex
	known map[stream]span
}

type stream struct {
	origin    counter.Origin
	partition uint32
}

type span struct{ first, last uint64 }

const lossesFile = "lost-operations"

// open reads what earlier processes of this node have left in the folder.
func (l *losses) open(folder string) error {
	l.path = filepath.Join(folder, lossesFile)
	text, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read which operations are known to be lost (choose another folder with --data): %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var origin string
		var s stream
		var lost span
		_, err := fmt.Sscanf(lines.Text(), "%s %d %d %d", &origin, &s.partition, &lost.first, &lost.last)
		if err == nil {
			s.origin, err = uuid.Parse(origin)
		}
		if err != nil || lost.first > lost.last || lost.first == 0 {
			return fmt.Errorf("%s says in the line %q nothing of lost operations: mend it, or remove it when you know what is lost", l.path, lines.Text())
		}
		l.known[s] = lost
	}
	return nil
}

// note adds what is lost of a stream. told: that the store lacks them was known before, though maybe not to which last one.
func (l *losses) note(s stream, lost span) (told bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was, found := l.known[s]
	if told = found && was.first <= lost.first; found {
		lost = span{min(was.first, lost.first), max(was.last, lost.last)}
	}
	if found && lost == was {
		return told, nil
	}
	l.known[s] = lost
	return told, l.write()
}

// write replaces the file as a whole.
func (l *losses) write() error {
	if l.path == "" {
		return nil
	}
	var text bytes.Buffer
	byAge := slices.SortedFunc(maps.Keys(l.known), func(a, b stream) int {
		return cmp.Or(bytes.Compare(a.origin[:], b.origin[:]), cmp.Compare(a.partition, b.partition))
	})
	for _, s := range byAge {
		fmt.Fprintf(&text, "%s %d %d %d\n", s.origin, s.partition, l.known[s].first, l.known[s].last)
	}
	f, err := os.OpenFile(l.path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(l.path+".new", l.path)
}

// count returns how many operations of this process are lost, and how many of others.
func (l *losses) count(self counter.Origin) (mine, others uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, lost := range l.known {
		if n := lost.last - lost.first + 1; s.origin == self {
			mine += n
		} else {
			others += n
		}
	}
	return mine, others
}

// noteLost notes operations that are lost, and says whether it was known that they are.
func (n *Node) noteLost(origin counter.Origin, partition uint32, first, last uint64) (told bool) {
	told, err := n.losses.note(stream{origin, partition}, span{first, last})
	if err != nil {
		n.log.Error("could not write down which operations are lost: the next process of this node will not show it",
			"origin", origin, "partition", partition, "first", first, "last", last, "error", err)
	}
	return told
}
