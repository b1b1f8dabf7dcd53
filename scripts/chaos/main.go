package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/netns"
	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// options of a run.
type options struct {
	bin      string        // program under test
	duration time.Duration // under faults and load
	seed     uint64
	nodes    int           // at the start
	rate     int           // calls a second, over all clients
	clients  int           // concurrent
	lease    time.Duration // of the nodes
	search   time.Duration // limit of the search of one key's history
	json     string        // file for the report; "": none
	keep     bool          // the folder also of a run without a failure
	only     []schedule.Kind
	often    float64 // times as often as usual
}

func main() {
	opt, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		_, _ = fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(rig.Usage)
	}
	if err := netns.Isolate(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(rig.Broken)
	}
	os.Exit(rig.UntilSignal(func(ctx context.Context) int { return run(ctx, opt, os.Stdout, os.Stderr) }))
}

// parse returns the options, with every fault named at once.
func parse(args []string, errs io.Writer) (options, error) {
	var opt options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.StringVar(&opt.bin, "bin", "bin/pinocchio", "program under test")
	flags.DurationVar(&opt.duration, "duration", 10*time.Minute, "how long faults and load last")
	flags.Uint64Var(&opt.seed, "seed", 0, "seed of the schedule and the load; 0: a new one")
	flags.IntVar(&opt.nodes, "nodes", 3, "nodes at the start, 3 to 5; others join")
	flags.IntVar(&opt.rate, "rate", 300, "calls a second")
	flags.IntVar(&opt.clients, "clients", 48, "concurrent clients")
	flags.DurationVar(&opt.lease, "lease", 4*time.Second, "lease of the nodes")
	flags.DurationVar(&opt.search, "search", 10*time.Second, "limit of the search for an order of one counter's calls")
	flags.StringVar(&opt.json, "json", "", "write the report as JSON to this file")
	flags.Func("only", "inject these kinds of faults only, separated by commas", opt.takeOnly)
	flags.Float64Var(&opt.often, "often", 1, "faults come so many times as often as usual")
	flags.BoolVar(&opt.keep, "keep", false, "keep logs and history also when all is well")
	if err := flags.Parse(args); err != nil {
		return opt, err
	}
	opt.seed = rig.Seed(opt.seed)
	var wrong rig.Complaints
	wrong.If(flags.NArg() > 0, "unexpected argument %q", flags.Arg(0))
	wrong.If(opt.duration < 5*time.Second, "--duration %v is less than 5s", opt.duration)
	wrong.If(opt.nodes < 3 || opt.nodes > 5, "--nodes %d is not between 3 and 5", opt.nodes)
	wrong.If(opt.rate < 1 || opt.clients < 1, "--rate and --clients must be at least 1")
	wrong.If(opt.lease < time.Second || opt.lease > time.Minute, "--lease %v is not between 1s and 1m", opt.lease)
	wrong.If(opt.often < 0.1 || opt.often > 20, "--often %v is not between 0.1 and 20", opt.often)
	wrong.If(opt.search <= 0, "--search %v is not positive", opt.search)
	if _, err := os.Stat(opt.bin); err != nil {
		wrong.Add(fmt.Errorf("%w: make build, or set --bin", err))
	}
	var err error
	opt.bin, err = filepath.Abs(opt.bin)
	wrong.Add(err)
	return opt, wrong.Err()
}

// takeOnly parses --only.
func (o *options) takeOnly(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		kind := schedule.Kind(name)
		if !slices.Contains(schedule.Kinds(), kind) {
			return fmt.Errorf("%q is none of %v", name, schedule.Kinds())
		}
		o.only = append(o.only, kind)
	}
	return nil
}

// run makes the world, lets the campaign happen in it, and tells what came of it.
func run(ctx context.Context, opt options, out, errs io.Writer) int {
	w, err := newWorld(ctx, opt, out)
	if err != nil {
		_, _ = fmt.Fprintln(errs, "chaos:", err)
		return rig.Broken
	}
	rep, err := w.campaign(ctx)
	if rep == nil {
		rep = &report{}
	}
	err = errors.Join(err, w.close())
	if err != nil {
		rep.violate("the run could not be completed: %v", err)
	}
	if err := w.finish(rep); err != nil {
		_, _ = fmt.Fprintln(errs, "chaos:", err)
		return rig.Broken
	}
	if len(rep.Violations) > 0 {
		return rig.Broken
	}
	return rig.Kept
}
