package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// scenario is one kind of fault, and what must hold in spite of it.
type scenario struct {
	name    string
	promise string
	plan    plan
	run     func(context.Context, *trial) error
}

// scenarios returns all of them, the gentle ones first.
func scenarios() []scenario {
	return []scenario{
		{"add", "a fourth node joins under load: not one failed request, exact sums", plan{}, addNode},
		{"remove", "a node gets SIGTERM under load: not one failed request, exact sums, exit status 0", plan{}, removeNode},
		{"roll", "all nodes are restarted in turn under load: not one failed request, exact sums", plan{}, rollNodes},
		{"kill", "kill -9 of a node at durability disk: counting again within lease + 1 s; back with its data: exact sums", plan{}, killNode},
		{"kill-memory", "the same with durability memory, and it stays away: nothing doubled, missing only what it had alone", plan{}, killNodeMemory},
		{"kill-database", "the same with durability database: nothing missing", plan{}, killNodeDatabase},
		{"pgkill", "Postgres killed with -9 and restarted, several times, once for longer than a lease: exact sums", plan{}, killPostgres},
		{"pgcut", "connections to Postgres cut in the middle of flushes, just before the reply to a commit among others: exact sums", plan{proxies: true}, cutPostgres},
		{"pgstall", "a node's connections to Postgres hang for longer than its lease: counting again within lease + 1 s, exact sums", plan{proxies: true}, stallPostgres},
		{"pause", "a node stopped (SIGSTOP) for longer than its lease, then continued: counting again within lease + 1 s, exact sums", plan{}, pauseNode},
		{"split", "one of three nodes cut off from the others, not from Postgres: exact sums after the heal", plan{spaces: true}, splitNodes},
		{"storm", "two of these at a time, drawn by the seed, and restarts in between: no request refused, exact sums", plan{proxies: true}, storm},
		{"restart", "all nodes stopped and started: exact sums. All killed at once, at durability disk: nothing missing", plan{}, restartAll},
		{"restart-memory", "all nodes killed at once, at durability memory: nothing doubled, nothing lost that Postgres had", plan{}, restartMemory},
		{"outage", "Postgres away until every node refuses: memory stays flat for as long as it lasts; then exact sums", plan{flags: outageFlags()}, outageFlat},
	}
}

// campaign runs scenarios one after another.
type campaign struct {
	opt    options
	out    io.Writer
	folder string // logs and the program
	bin    string // the program that nodes run
}

func newCampaign(opt options, out io.Writer) *campaign { return &campaign{opt: opt, out: out} }

// run reports whether every promise was kept. An error means that the campaign could not go on; what was started is ended.
func (c *campaign) run(ctx context.Context) (kept bool, err error) {
	if c.folder, err = os.MkdirTemp("", "pinocchio-faults"); err != nil {
		return false, err
	}
	defer func() {
		if c.opt.keep || !kept || err != nil {
			c.say("\nlogs and program: %s", c.folder)
		} else {
			err = errors.Join(err, os.RemoveAll(c.folder))
		}
	}()
	c.say("seed %d, lease %v, %d connections in a closed loop, %d keys, %d CPUs", c.opt.seed, c.opt.lease, c.opt.connections, c.opt.keys, runtime.NumCPU())
	if err := c.build(ctx); err != nil {
		return false, err
	}
	kept = true
	var rows []row
	for i, s := range c.opt.scenarios {
		r := c.one(ctx, s, uint64(i))
		rows = append(rows, r.row)
		kept = kept && r.kept()
		if ctx.Err() != nil {
			return false, errors.New("interrupted: everything is stopped")
		}
	}
	c.say("")
	return kept, writeTable(c.out, rows)
}

// build compiles the program under test from the tree that this program was started in.
func (c *campaign) build(ctx context.Context) error {
	c.bin = filepath.Join(c.folder, "pinocchio")
	args := []string{"build", "-buildvcs=false", "-o", c.bin}
	if c.opt.race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/pinocchio-nose/pinocchio/cmd/pinocchio")...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	c.say("built in %.1f s", time.Since(began).Seconds())
	return nil
}

// one runs a scenario from an empty Postgres to the end of all its processes.
func (c *campaign) one(ctx context.Context, s scenario, number uint64) *report {
	r := newReport(c.out, s)
	t := &trial{
		opt: c.opt, plan: s.plan, bin: c.bin, folder: filepath.Join(c.folder, s.name), rep: r,
		rng: rand.New(rand.NewPCG(c.opt.seed, number)),
	}
	err := t.begin(ctx)
	if err == nil {
		err = s.run(ctx, t)
	}
	if err == nil {
		t.audit(ctx)
	}
	err = errors.Join(err, t.end(ctx.Err() == nil))
	switch {
	case errors.Is(err, errNotHere):
		r.skip(err)
	case err != nil:
		r.breaks("the scenario could not be carried out: %v", err)
	}
	t.readLogs()
	r.close()
	return r
}

func (c *campaign) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format+"\n", args...) }

// errNotHere says that a scenario needs what this machine does not have.
var errNotHere = errors.New("not run")
