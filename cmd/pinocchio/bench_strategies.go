package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench/strategies"
	"github.com/pinocchio-nose/pinocchio/flush/strategy"
)

// benchGroup is the command bench: load on a cluster, unless it is followed by another word.
type benchGroup struct {
	Load       benchCmd      `cmd:"" default:"withargs" help:"Put load on a cluster (what bench does without a further word)."`
	Strategies strategiesCmd `cmd:"" help:"Measure ways of adding to counters in Postgres against each other, then check ten million buffered increments."`
}

// strategiesCmd measures flush/strategy. It needs no cluster, and touches no table of one.
type strategiesCmd struct {
	Store         string        `required:"" help:"Postgres to measure on; the tables strategy_counters and strategy_writers in it are emptied." placeholder:"URL"`
	Time          time.Duration `default:"20s" help:"How long each strategy is measured."`
	Warmup        time.Duration `default:"2s" help:"How long each strategy runs before it is measured."`
	Parallel      int           `default:"1" help:"Workers that increment at once, each with a connection."`
	Keys          int           `default:"1000" help:"Number of keys that the workers go round."`
	FlushInterval time.Duration `default:"1s" help:"How often the buffered strategy flushes."`
	Increments    int64         `default:"10000000" help:"Buffered increments of 2 on one key in the consistency run; 0: no such run."`
	Plot          string        `aliases:"svg" help:"Draw the rates as bars into this file, SVG or PNG by its ending." placeholder:"FILE"`
	HTML          string        `name:"html" help:"Write a page with table and chart to this file." placeholder:"FILE"`
	JSON          string        `name:"json" help:"Write the figures to this file as JSON." placeholder:"FILE"`
}

// Validate is called by the parser.
func (c *strategiesCmd) Validate() error {
	faults := []error{c.options().Validate()}
	if c.FlushInterval <= 0 {
		faults = append(faults, fmt.Errorf("flush-interval: %v, must be more than 0", c.FlushInterval))
	}
	if c.Increments < 0 {
		faults = append(faults, fmt.Errorf("increments: %d, must not be negative", c.Increments))
	}
	return errors.Join(append(faults, plottable(c.Plot))...)
}

func (c *strategiesCmd) options() strategies.Options {
	return strategies.Options{Time: c.Time, Warmup: c.Warmup, Parallel: c.Parallel, Keys: c.Keys}
}

// Run measures, reports on the output, and fails when the consistency run's sum is wrong.
func (c *strategiesCmd) Run(ctx context.Context, std streams) (err error) {
	files, err := openOutputs(plotOutput[*strategies.Report](c.Plot),
		output[*strategies.Report]{"html", c.HTML, (*strategies.Report).WriteHTML}, jsonOutput[*strategies.Report](c.JSON))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	table, err := strategy.Open(ctx, c.Store, c.Parallel+1) // and one for the buffered strategy's flushes
	if err != nil {
		return fmt.Errorf("--store: %w", err)
	}
	closing := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, table.Close(closing)) }()
	report, err := c.measure(ctx, std, table)
	if err != nil {
		return err
	}
	if err := errors.Join(report.WriteText(std.out), files.write(report)); err != nil {
		return err
	}
	if run := report.Consistency; run != nil {
		if _, err := fmt.Fprintln(std.out, run); err != nil {
			return err
		}
		if !run.OK() {
			return fmt.Errorf("the consistency run's sum is %d and must be %d", run.Got, run.Want)
		}
	}
	return nil
}

// measure compares all strategies and makes the consistency run.
func (c *strategiesCmd) measure(ctx context.Context, std streams, table *strategy.Table) (report *strategies.Report, err error) {
	o := c.options()
	if isTerminal(std.err) {
		o.Progress = std.err
	}
	all := strategy.All(table, c.FlushInterval)
	contenders := make([]strategies.Contender, len(all))
	for i, s := range all {
		contenders[i] = s
		defer func() { err = errors.Join(err, s.Close(context.WithoutCancel(ctx))) }()
	}
	if report, err = strategies.Compare(ctx, contenders, o, table.Clear); err != nil {
		return nil, err
	}
	version, err := table.Version(ctx)
	if err != nil {
		return nil, err
	}
	report.Environment = []string{
		"Postgres " + version,
		fmt.Sprintf("pinocchio %s, %s on %s/%s, %d processors", currentVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0)),
	}
	if c.Increments == 0 {
		return report, nil
	}
	if err := table.Clear(ctx); err != nil {
		return nil, err
	}
	buffered := all[len(all)-1]
	report.Consistency, err = strategies.Check(ctx, buffered, c.Increments, 2, max(c.Parallel, runtime.GOMAXPROCS(0)), table.Value)
	return report, err
}
