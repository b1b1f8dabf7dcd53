package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/check"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/clock"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/history"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/pgproxy"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
)

const (
	database = "chaos"
	spares   = 1           // places for joiners
	diskSize = "size=192m" // of each journal's file system
	// flushMarker is in the statement that flushes, and in no other.
	flushMarker = "pinocchio_flush"
)

// world is everything that a run has made: network, database, nodes, records.
type world struct {
	opt     options
	out     io.Writer
	folder  string
	secret  string // file
	began   time.Time
	hub     *netns.Hub
	pg      *pgtest.Server
	store   sync.Mutex   // held by who starts, ends or asks Postgres
	calm    sync.RWMutex // held for reading by each fault that could take a second holder away; see lose
	members []*member
	book    *history.Book
	watch   *watch
	events  *os.File
	times   times // of day

	mu struct {
		sync.Mutex
		injected, skipped, sprung map[schedule.Kind]int
		steps                     []check.Span // around steps of Postgres' clock
		violations                []string
		failedStarts, badLeaves   int
		risks                     check.Risks
	}
}

// newWorld starts everything. On an error nothing is left.
func newWorld(ctx context.Context, opt options, out io.Writer) (*world, error) {
	folder, err := newFolder()
	if err != nil {
		return nil, err
	}
	w := &world{opt: opt, out: out, folder: folder, began: time.Now()}
	w.mu.injected, w.mu.skipped, w.mu.sprung = map[schedule.Kind]int{}, map[schedule.Kind]int{}, map[schedule.Kind]int{}
	w.mu.risks = check.Risks{}
	w.watch = newWatch(w)
	if err := w.build(ctx); err != nil {
		return nil, errors.Join(err, w.close(), os.RemoveAll(folder))
	}
	return w, nil
}

func (w *world) build(ctx context.Context) (err error) {
	if w.events, err = os.Create(filepath.Join(w.folder, eventsFile)); err != nil {
		return err
	}
	if w.book, err = history.Create(filepath.Join(w.folder, historyFile)); err != nil {
		return err
	}
	w.secret = filepath.Join(w.folder, "secret")
	if err := os.WriteFile(w.secret, []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	if w.hub, err = netns.NewHub(w.opt.nodes + spares); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", w.folder); err != nil { // for Postgres' folder
		return err
	}
	if w.pg, err = pgtest.Launch(); err != nil {
		return err
	}
	if err := w.fakeStore(); err != nil {
		return err
	}
	if _, err := w.pg.SQL("postgres", "create database "+database); err != nil {
		return err
	}
	journals, err := w.hasJournal(ctx)
	if err != nil {
		return err
	}
	for i := range w.opt.nodes + spares {
		if err := w.addMember(i, journals); err != nil {
			return err
		}
	}
	return nil
}

// hasJournal asks the program under test whether it takes --data.
func (w *world) hasJournal(ctx context.Context) (bool, error) {
	out, err := exec.CommandContext(ctx, w.opt.bin, "serve", "--help").CombinedOutput()
	if err != nil {
		return false, fmt.Errorf("%s serve --help: %w: %s", w.opt.bin, err, out)
	}
	return strings.Contains(string(out), "--data="), nil
}

// addMember makes a node, its proxy and its disk, and starts nothing.
func (w *world) addMember(place int, journal bool) (err error) {
	m := newMember(w, place)
	if m.clock, err = clock.NewNode(filepath.Join(w.folder, m.Name+".clock")); err != nil {
		return err
	}
	m.Env = append(m.Env, m.clock.Environment())
	m.proxy, err = pgproxy.Listen(netns.Store+":0", w.pg.Addr(), flushMarker, w.sprang)
	if err != nil {
		return err
	}
	m.Store = pgtest.URL(m.proxy.Addr(), database)
	w.members = append(w.members, m)
	if !journal {
		return nil
	}
	m.disk = filepath.Join(w.folder, m.Name+".data")
	m.Data = filepath.Join(m.disk, "journal")
	if err := os.Mkdir(m.disk, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("none", m.disk, "tmpfs", 0, diskSize); err != nil {
		return fmt.Errorf("mount %s: %w", m.disk, err)
	}
	return nil
}

// sprang counts traps of the proxies.
func (w *world) sprang(t pgproxy.Trap) {
	kind := schedule.CutByte
	if t.Drop {
		kind = schedule.DropReply
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.sprung[kind]++
}

// clock returns the time of the history, in ns from the begin.
func (w *world) clock() int64 { return int64(time.Since(w.began)) }

// event notes what happened, for who reads a failure.
func (w *world) event(format string, args ...any) {
	text := fmt.Sprintf("%10.3f %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.events.WriteString(text) // evidence only
}

// violate notes a broken promise.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.event("VIOLATION %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.violations = append(w.mu.violations, text)
}

// close ends everything that was started, in any state of the building.
func (w *world) close() error {
	var errs []error
	for _, m := range w.members {
		m.life.Lock()
		m.gone = true
		if i := m.now.Load(); i != nil {
			m.crash(i)
		}
		m.life.Unlock()
	}
	w.watch.close()
	for _, m := range w.members {
		errs = append(errs, m.proxy.Close())
		if m.disk != "" {
			if err := syscall.Unmount(m.disk, 0); err != nil && !errors.Is(err, syscall.EINVAL) { // EINVAL: it never was one
				errs = append(errs, fmt.Errorf("unmount %s: %w", m.disk, err))
			}
		}
	}
	if w.pg != nil {
		errs = append(errs, os.WriteFile(filepath.Join(w.folder, "postgres.log"), []byte(w.pg.Log()), 0o600), w.pg.Stop())
	}
	if w.hub != nil {
		errs = append(errs, w.hub.Close())
	}
	if w.book != nil {
		errs = append(errs, w.book.Close())
	}
	if w.events != nil {
		errs = append(errs, w.events.Close())
	}
	return errors.Join(errs...)
}
