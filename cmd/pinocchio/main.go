// Command pinocchio runs and loads a cluster of exact counters.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// commands is the command line: one field for each command.
type commands struct {
	Dev     devCmd     `cmd:"" help:"Run a cluster in this process, on an embedded store, to try things out."`
	Serve   serveCmd   `cmd:"" help:"Run one node."`
	Config  configCmd  `cmd:"" help:"Print the settings with which serve would run, and where each comes from."`
	Health  healthCmd  `cmd:"" help:"Ask a node whether it is ready; exit status 0 when it is."`
	Bench   benchGroup `cmd:"" help:"Put load on a cluster, measure it, and verify that every answered increment was counted once."`
	Get     getCmd     `cmd:"" help:"Print a counter's total."`
	Incr    incrCmd    `cmd:"" help:"Add to a counter and print its total."`
	Cluster clusterCmd `cmd:"" help:"Print the members of a cluster, their leases and partitions."`

	Audit auditCmd `cmd:"" help:"Compare what the nodes counted with the tables; exit status 1 when it does not add up."`
	Token tokenCmd `cmd:"" help:"Make an access token, and the line of --tokens-file that accepts it."`

	Top        topCmd        `cmd:"" help:"Watch what the nodes of a cluster do."`
	Completion completionCmd `cmd:"" help:"Print a script that completes commands and flags in bash, zsh or fish."`

	Version versionCmd `cmd:"" help:"Print the version."`
}

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // plus the signal's number
)

// streams are where a command writes.
type streams struct{ out, err io.Writer }

func main() {
	ctx, stop := untilSignal(context.Background(), os.Stderr, os.Exit)
	status := run(ctx, os.Args[1:], streams{out: os.Stdout, err: os.Stderr}, os.Exit)
	stop()
	os.Exit(status)
}

// run parses the arguments, runs the command and returns the exit status. What goes wrong is one line on the error
// stream. exit ends the process after --help.
func run(ctx context.Context, args []string, std streams, exit func(int)) int {
	file := new(settingsFile)
	parser, err := newParser(std, exit, kong.Resolvers(file))
	if err != nil {
		return report(std, err, exitFailed)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return report(std, fmt.Errorf("%w; see %s --help", everyFault(err, args, file), parser.Model.Name), exitUsage)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(std, storeOpener(openValues), command, file); err != nil {
		return report(std, err, exitFailed)
	}
	return exitOK
}

// newParser gives every flag the environment variable PINOCCHIO_<FLAG>.
func newParser(std streams, exit func(int), more ...kong.Option) (*kong.Kong, error) {
	return kong.New(&commands{}, append(
		more,
		kong.Name("pinocchio"),
		kong.Description("Exact counters on the Postgres you already run. Exit status: 0 done, 1 failed, 2 wrong usage, 128 and the signal when a second one ended it."),
		kong.DefaultEnvars("PINOCCHIO"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(std.out, std.err),
		kong.Exit(exit),
	)...)
}

// report writes an error as one line and returns the status.
func report(std streams, err error, status int) int {
	_, _ = fmt.Fprintln(std.err, "pinocchio: "+oneLine(err))
	return status
}

// oneLine joins the lines of an error.
func oneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		switch last := len(lines) - 1; {
		case line == "":
		case last >= 0 && strings.HasSuffix(lines[last], ":"):
			lines[last] += " " + line
		default:
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// errInterrupted is the cause of the context's end after the first signal.
var errInterrupted = errors.New("interrupted")

// sameSignal is how long further signals count as the first: a supervisor that signals the process and its group, or a
// terminal beside a make that passes the signal on, means one stop.
const sameSignal = 200 * time.Millisecond

// untilSignal returns a context that the first SIGINT or SIGTERM ends, so that the command finishes in order. A second one
// exits at once. stop ends the watching.
func untilSignal(parent context.Context, stderr io.Writer, exit func(int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		var first time.Time
		for {
			select {
			case <-stopped:
				return
			case s := <-signals:
				cancel(fmt.Errorf("%w by %v", errInterrupted, s))
				if first.IsZero() {
					first = time.Now()
				}
				if number, ok := s.(syscall.Signal); ok && time.Since(first) > sameSignal {
					_, _ = fmt.Fprintf(stderr, "pinocchio: second signal (%v): exiting at once\n", s)
					exit(exitSignal + int(number))
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(stopped)
		cancel(nil)
	}
}
