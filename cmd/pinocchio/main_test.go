package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
)

// asMain makes the test binary behave as pinocchio itself; asWaiter as a command that waits for its context to end.
const (
	asMain   = "PINOCCHIO_TEST_MAIN"
	asWaiter = "PINOCCHIO_TEST_WAITER"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asMain) != "":
		main()
	case os.Getenv(asWaiter) != "":
		wait()
	}
	goleak.VerifyTestMain(m,
		// The libraries' own. A last probe of gossip, the cleaners of a stopped server's idle workers and of a client's idle
		// connections end by themselves within a minute; the clock of the Date header and the cleaner of the dialer's resolved
		// addresses never: each is one for the process.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*TCPDialer).tcpAddrsClean"))
}

// wait stops slowly after the first signal: it finishes when its standard input ends.
func wait() {
	ctx, stop := untilSignal(context.Background(), os.Stderr, os.Exit)
	fmt.Println("waiting")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	stop()
	os.Exit(0)
}

// command runs the test binary as pinocchio.
func command(t *testing.T, mode string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), mode+"=1", "GOCOVERDIR="+t.TempDir())
	return c
}

func TestOneLine_JoinsLinesAndWhatFollowsAColon(t *testing.T) {
	err := errors.New("first\ndial:\n\tone host\n\n\tanother host\n")
	if got, want := oneLine(err), "first; dial: one host; another host"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
}

func TestMain_ExitsWithAStatusAndOneLineThatSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		out    string // begins the output
		err    string // stands in the one line on stderr
	}{
		{"version", 0, "pinocchio ", ""},
		{"--help", 0, "Usage: pinocchio", ""},
		{"bench --help", 0, "Usage: pinocchio bench", ""},
		{"", 2, "", "--help"},
		{"fly", 2, "", "--help"},
		{"bench --requests many", 2, "", "--requests"},
		{"bench --keys 0 --connections 0", 2, "", "keys: 0"},
		{"bench --keys 0 --connections 0", 2, "", "connections: 0"},
		{"bench --verify-store sqlite:x", 2, "", "--verify"},
		{"bench --target 127.0.0.1:1 --ready-timeout 10ms", 1, "", "start the nodes"},
		{"bench --target 127.0.0.1:1 --json /does/not/exist", 1, "", "--json"},
	} {
		t.Run(c.args, func(t *testing.T) {
			cmd := command(t, asMain, strings.Fields(c.args)...)
			var out, errs strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d; %s", got, c.status, errs.String())
			}
			if !strings.HasPrefix(out.String(), c.out) {
				t.Errorf("output %q", out.String())
			}
			if wantLines := min(len(c.err), 1); strings.Count(errs.String(), "\n") != wantLines || !strings.Contains(errs.String(), c.err) {
				t.Errorf("stderr %q", errs.String())
			}
		})
	}
}

func TestSignals_TheFirstEndsInOrderAndALaterOneAtOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		later  bool
		signal os.Signal
		status int
	}{
		{"one", false, syscall.SIGTERM, 0},
		{"TERM again", true, syscall.SIGTERM, 143},
		{"INT again", true, os.Interrupt, 130},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := command(t, asWaiter)
			var errs strings.Builder
			cmd.Stderr = &errs
			in, _ := cmd.StdinPipe()
			pipe, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out := bufio.NewScanner(pipe)
			expect := func(line string) {
				if !out.Scan() || !strings.HasPrefix(out.Text(), line) {
					t.Errorf("said %q, want %q", out.Text(), line)
				}
			}
			expect("waiting")
			_ = cmd.Process.Signal(c.signal)
			expect("interrupted by")
			ended := make(chan struct{})
			go func() {
				_ = cmd.Wait()
				close(ended)
			}()
			if !c.later {
				_ = in.Close()
			}
			// Until it is not taken for the first signal any more.
			for again := time.NewTicker(sameSignal / 2); ; {
				select {
				case <-again.C:
					if c.later {
						_ = cmd.Process.Signal(c.signal)
					}
					continue
				case <-ended:
					again.Stop()
				}
				break
			}
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if strings.Count(errs.String(), "exiting at once") > 0 != c.later {
				t.Errorf("stderr %q", errs.String())
			}
		})
	}
}

func TestFlags_AllHaveTheirEnvironmentVariableAndStandInHelp(t *testing.T) {
	parser, err := newParser(streams{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, command := range parser.Model.Leaves(false) {
		for _, flag := range command.Flags {
			seen++
			want := "PINOCCHIO_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
			if len(flag.Envs) != 1 || flag.Envs[0] != want || flag.Help == "" || flag.Hidden {
				t.Errorf("%s --%s: environment %v, help %q, hidden %v", command.Name, flag.Name, flag.Envs, flag.Help, flag.Hidden)
			}
		}
	}
	if seen == 0 {
		t.Error("no flags")
	}
}

func TestFlags_ComeFromTheEnvironment(t *testing.T) {
	t.Setenv("PINOCCHIO_KEY_PREFIX", "from:env:")
	t.Setenv("PINOCCHIO_TARGET", "127.0.0.1:1,127.0.0.1:2")
	t.Setenv("PINOCCHIO_DURATION", "3s")
	var c commands
	parser, err := kong.New(&c, kong.DefaultEnvars("PINOCCHIO"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"bench", "--pipeline", "3"}); err != nil {
		t.Fatal(err)
	}
	o := c.Bench.Load.options()
	if o.KeyPrefix != "from:env:" || len(o.Targets) != 2 || o.Pipeline != 3 || o.Duration.Seconds() != 3 {
		t.Errorf("%+v", o)
	}
}

func TestVersion_PrefersWhatTheLinkerWasTold(t *testing.T) {
	vcs := func(modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: modified}},
		}
	}
	for _, c := range []struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"v1.2.3", vcs("false"), "v1.2.3"},
		{"", &debug.BuildInfo{Main: debug.Module{Version: "v1.1.0"}}, "v1.1.0"},
		{"", vcs("false"), "0123456789ab"},
		{"", vcs("true"), "0123456789ab+"},
		{"", &debug.BuildInfo{}, "devel"},
		{"", nil, "unknown"},
	} {
		if got := versionOf(c.linked, c.info); got != c.want {
			t.Errorf("%q, %+v: %q, want %q", c.linked, c.info, got, c.want)
		}
	}
}

// fileIn returns a path in a folder of the test's own.
func fileIn(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }
