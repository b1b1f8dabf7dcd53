package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
)

// benchCmd's flags are bench.Options.
type benchCmd struct {
	Target       []string      `help:"Node to load, http://host:port, https://host:port or host:port; repeatable." default:"http://127.0.0.1:3333" placeholder:"URL"`
	CA           string        `name:"ca" type:"existingfile" help:"Certificates of the authorities to trust for https, PEM. Default: the system's." placeholder:"FILE"`
	Token        string        `help:"Bearer token; better in the environment, where other users do not see it." placeholder:"TOKEN"`
	Connections  int           `help:"Connections, spread evenly over the targets." default:"64"`
	Requests     int64         `help:"Stop after so many requests." placeholder:"N"`
	Duration     time.Duration `help:"Stop after so long; 10s when --requests is not given either." placeholder:"TIME"`
	Pipeline     int           `help:"Requests written together on a connection." default:"1"`
	Batch        int           `help:"Increments in each request; more than 1: through POST /api/v1/increments." default:"1"`
	Rate         float64       `help:"Requests a second, open loop: latency counts from the intended start. 0: as fast as answers come." default:"0"`
	Keys         int           `help:"Number of keys." default:"1000"`
	KeyPrefix    string        `help:"What keys begin with." default:"bench:"`
	Distribution string        `help:"How often which key: uniform, zipf or single." enum:"uniform,zipf,single" default:"uniform"`
	Seed         uint64        `help:"Seed of the keys' sequence." default:"1"`
	Value        int64         `help:"What each increment adds." default:"1"`
	Durability   string        `help:"Ask for this durability: memory, disk, replica or database. Without it: the server's default." enum:",memory,disk,replica,database" default:""`
	ReturnTotal  bool          `help:"Ask for the total just after each increment."`

	Timeout      time.Duration `help:"Longest wait for an answer." default:"10s"`
	ReadyTimeout time.Duration `help:"Give up when no target was ready for so long." default:"15s"`

	Verify        bool          `help:"Compare each key's total, through every target, with what was answered; exit 1 when they differ."`
	VerifyStore   string        `help:"With --verify: compare the table behind the service as well." placeholder:"URL"`
	VerifyTimeout time.Duration `help:"How long totals may take to agree." default:"10s"`
	Strict        bool          `help:"Exit 1 when a request failed."`
	JSON          string        `name:"json" help:"Write the result to this file as JSON." placeholder:"FILE"`
	Plot          string        `help:"Draw the latencies by percentile into this file, SVG or PNG by its ending." placeholder:"FILE"`
}

// Validate is called by the parser: a fault is a usage error that names all of them.
func (c *benchCmd) Validate() error {
	faults := []error{c.options().Validate()}
	if c.VerifyStore != "" && !c.Verify {
		faults = append(faults, errors.New("verify-store: needs --verify"))
	}
	return errors.Join(append(faults, plottable(c.Plot))...)
}

func (c *benchCmd) options() bench.Options {
	o := bench.DefaultOptions()
	o.Targets, o.Connections, o.Pipeline, o.Rate = c.Target, c.Connections, c.Pipeline, c.Rate
	o.Token, o.Batch = c.Token, c.Batch
	o.Requests, o.Duration = c.Requests, c.Duration
	if o.Requests == 0 && o.Duration == 0 {
		o.Duration = 10 * time.Second
	}
	o.Keys, o.KeyPrefix, o.Distribution, o.Seed = c.Keys, c.KeyPrefix, bench.Distribution(c.Distribution), c.Seed
	o.Value, o.Durability, o.ReturnTotal = c.Value, c.Durability, c.ReturnTotal
	o.Timeout, o.ReadyTimeout = c.Timeout, c.ReadyTimeout
	o.Verify, o.VerifyTimeout = c.Verify, c.VerifyTimeout
	return o
}

// benchStore is a store that bench reads and the command closes.
type benchStore interface {
	bench.StoreReader
	io.Closer
}

// storeOpener opens the store behind a URL for reading.
type storeOpener func(ctx context.Context, url string) (benchStore, error)

// Run loads, reports on the output, and fails when the load could not be put on, when totals differ, or by --strict.
func (c *benchCmd) Run(ctx context.Context, std streams, open storeOpener) (err error) {
	o := c.options()
	if o.TLS, err = trusting(c.CA); err != nil {
		return err
	}
	if isTerminal(std.err) {
		o.Progress = std.err
	}
	if c.VerifyStore != "" {
		store, err := open(ctx, c.VerifyStore)
		if err != nil {
			return fmt.Errorf("--verify-store: %w", err)
		}
		defer func() { _ = store.Close() }() // only read from
		o.Store = store
	}
	files, err := openOutputs(jsonOutput[*bench.Result](c.JSON), plotOutput[*bench.Result](c.Plot))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.close()) }()
	result, err := bench.Run(ctx, o)
	if errors.Is(err, bench.ErrForbidden) {
		err = fmt.Errorf("%w: %s", err, giveToken)
	}
	if result == nil {
		return err
	}
	return errors.Join(err, result.WriteText(std.out), files.write(result), c.judge(result))
}

func writeJSON(w io.Writer, result any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// giveToken is what to do when access control lets nothing through.
const giveToken = "give a token with the scopes read and write, with --token or PINOCCHIO_TOKEN"

// judge turns a result into the command's verdict.
func (c *benchCmd) judge(r *bench.Result) error {
	switch {
	case r.Forbidden():
		return fmt.Errorf("access control let no request through: %s", giveToken)
	case r.Verify != nil && !r.Verify.OK:
		return errors.New("the totals are not what was answered: see verify and drift in the report")
	case c.Strict && r.Failed > 0:
		return fmt.Errorf("%d %s failed: see failed and error in the report", r.Failed, c.unit())
	}
	return nil
}

// unit is what is counted as failed.
func (c *benchCmd) unit() string {
	if c.Batch > 1 {
		return "increments"
	}
	return "requests"
}

// isTerminal tells whether somebody watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
