package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// options of a campaign.
type options struct {
	scenarios   []scenario
	duration    time.Duration // least time under load of each scenario
	lease       time.Duration // of the nodes
	connections int           // of the load
	keys        int           // of the load
	seed        uint64        // of victims, moments and keys
	keep        bool          // leave logs and programs behind
	race        bool          // build the nodes with the race detector
}

func main() {
	os.Exit(rig.UntilSignal(func(ctx context.Context) int { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

// run parses the arguments, runs the campaign and returns the exit status.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	opt, list, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return rig.Kept
	case err != nil:
		_, _ = fmt.Fprintln(errs, "faults:", err)
		return rig.Usage
	case list:
		for _, s := range scenarios() {
			_, _ = fmt.Fprintf(out, "%-14s %s\n", s.name, s.promise)
		}
		return rig.Kept
	}
	kept, err := newCampaign(opt, out).run(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(errs, "faults:", err)
	}
	if err != nil || !kept {
		return rig.Broken
	}
	return rig.Kept
}

// parse returns the options, or that the scenarios are to be listed.
func parse(args []string, errs io.Writer) (opt options, list bool, err error) {
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.SetOutput(errs)
	names := flags.String("scenario", "all", "scenarios to run, with commas between them, or all")
	flags.DurationVar(&opt.duration, "duration", 20*time.Second, "least time under load of each scenario")
	flags.DurationVar(&opt.lease, "lease", 6*time.Second, "lease of the nodes; a shorter one makes crashes quicker to recover from")
	flags.IntVar(&opt.connections, "connections", 16, "connections of the load")
	flags.IntVar(&opt.keys, "keys", 1000, "keys of the load")
	flags.Uint64Var(&opt.seed, "seed", 0, "seed of victims, moments and keys; 0: a new one")
	flags.BoolVar(&opt.keep, "keep", false, "keep logs and programs, and say where")
	flags.BoolVar(&opt.race, "race", false, "build the nodes with the race detector")
	flags.BoolVar(&list, "list", false, "list the scenarios")
	if err := flags.Parse(args); err != nil {
		return opt, false, err
	}
	opt.seed = rig.Seed(opt.seed)
	var wrong rig.Complaints
	wrong.If(flags.NArg() > 0, "unexpected argument %q", flags.Arg(0))
	wrong.If(opt.duration < time.Second, "--duration %v is less than 1s", opt.duration)
	wrong.If(opt.lease < time.Second || opt.lease > time.Minute, "--lease %v is not between 1s and 1m", opt.lease)
	wrong.If(opt.connections < nodesAtStart, "--connections %d is less than one for each node", opt.connections)
	wrong.If(opt.keys < 1 || opt.keys > maxKeys, "--keys %d is not between 1 and %d", opt.keys, maxKeys)
	opt.scenarios, err = choose(*names)
	wrong.Add(err)
	return opt, list, wrong.Err()
}

// maxKeys keeps the list of the keys that differ, and a select of all keys, small.
const maxKeys = 100_000

// choose returns the named scenarios, in the order of the names.
func choose(names string) (chosen []scenario, err error) {
	all := scenarios()
	if names == "all" {
		return all, nil
	}
	var known []string
	byName := map[string]scenario{}
	for _, s := range all {
		known = append(known, s.name)
		byName[s.name] = s
	}
	for name := range strings.SplitSeq(names, ",") {
		s, ok := byName[strings.TrimSpace(name)]
		if !ok {
			return nil, fmt.Errorf("there is no scenario %q: there are all, %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, s)
	}
	return chosen, nil
}
