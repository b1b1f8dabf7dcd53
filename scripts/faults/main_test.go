package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_NamesEveryFaultOfTheArgumentsAtOnce(t *testing.T) {
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{
		"--scenario", "add,flood", "--duration", "1ms", "--lease", "2m", "--connections", "1", "--keys", "0", "more",
	}, &out, &errs)
	if status != rig.Usage {
		t.Errorf("exit status %d, want %d", status, rig.Usage)
	}
	for _, want := range []string{`"flood"`, "--duration", "--lease", "--connections", "--keys", `"more"`} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%s is not named in:\n%s", want, &errs)
		}
	}
}

func TestRun_ListsEachScenarioWithItsPromise(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"--list"}, &out, &errs); status != rig.Kept {
		t.Fatalf("exit status %d: %s", status, &errs)
	}
	if got := strings.Count(out.String(), "\n"); got != len(scenarios()) {
		t.Errorf("%d lines for %d scenarios:\n%s", got, len(scenarios()), &out)
	}
}

func TestChoose_KeepsTheOrderOfTheNames(t *testing.T) {
	chosen, err := choose("roll, add")
	if err != nil || len(chosen) != 2 || chosen[0].name != "roll" || chosen[1].name != "add" {
		t.Errorf("%v, %v", chosen, err)
	}
	if all, err := choose("all"); err != nil || len(all) != len(scenarios()) {
		t.Errorf("all are %d: %v", len(all), err)
	}
}

// The shortest scenario that needs everything: a build, Postgres, proxies, three processes, load, witnesses, an audit.
func TestRun_KeepsThePromisesOnRealProcessesWhenConnectionsToPostgresAreCut(t *testing.T) {
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"--scenario", "pgcut", "--duration", "2s", "--lease", "2s", "--keys", "50", "--seed", "7"}, &out, &errs)
	if status != rig.Kept {
		t.Fatalf("exit status %d\n%s%s", status, &errs, &out)
	}
	for _, want := range []string{"seed 7", "it was hit: ", "answered were exactly ", "kept: pinocchio audit: values: ", "exit status 0", "pgcut: kept"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, &out)
		}
	}
}

func TestRun_StopsEverythingWhenItIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var errs bytes.Buffer
	out := &trigger{on: []byte("nodes are ready"), do: interrupt}
	if status := run(ctx, []string{"--scenario", "add", "--lease", "2s"}, out, &errs); status != rig.Broken {
		t.Errorf("exit status %d", status)
	}
	_, folder, _ := strings.Cut(out.text.String(), "logs and program: ")
	folder = strings.TrimSpace(folder)
	if folder == "" {
		t.Fatalf("the logs are not kept:\n%s%s", &out.text, &errs)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if left := running(t, folder); len(left) > 0 {
		t.Errorf("still running: %v", left)
	}
}

// trigger calls do when a text was written. The campaign writes from one goroutine.
type trigger struct {
	text bytes.Buffer
	on   []byte
	do   func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if bytes.Contains(p, w.on) {
		w.do()
	}
	return w.text.Write(p)
}

// running returns the command lines of processes that mention a folder.
func running(t *testing.T, folder string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err == nil && bytes.Contains(line, []byte(folder)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}
