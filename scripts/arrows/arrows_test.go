package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// module is the path of the made-up module that the tests check.
const module = "example.org/m"

// tree returns a module that holds one file of the given text.
func tree(name, text string) fstest.MapFS {
	return fstest.MapFS{
		"go.mod": {Data: []byte("// comment\nmodule " + module + "\n\ngo 1.26\n")},
		name:     {Data: []byte(text)},
	}
}

// importing returns a file that imports target on its line 3; "m/" at its start stands for the made-up module.
func importing(target string) string {
	if own, ok := strings.CutPrefix(target, "m/"); ok {
		target = module + "/" + own
	}
	return "package p\n\nimport _ \"" + target + "\"\n"
}

func TestCheck_NamesFileLineAndReasonWhenAnArrowIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"node to httpapi", "node/a.go", importing("m/httpapi"), "node/a.go:3: node imports m/httpapi: node joins"},
		{"httpapi past node", "httpapi/a.go", importing("m/flush"), "httpapi/a.go:3: httpapi imports m/flush: httpapi reaches"},
		{"part to part", "gossip/a.go", importing("m/ring"), "gossip/a.go:3: gossip imports m/ring: the parts know"},
		{"part to node", "flush/a.go", importing("m/node"), "flush/a.go:3: flush imports m/node: the parts know"},
		{"helper to part", "internal/x/a.go", importing("m/counter"), "internal/x/a.go:3: internal/x imports m/counter: helpers serve"},
		{"anything to a command", "node/a.go", importing("m/cmd/p"), "node/a.go:3: node imports m/cmd/p: node joins"},
		{"bench to node", "bench/a.go", importing("m/node"), "bench/a.go:3: bench imports m/node: the load generator"},
		{"command to script", "cmd/p/a.go", importing("m/scripts/s"), "cmd/p/a.go:3: cmd/p imports m/scripts/s: nothing imports"},
		{"script to node", "scripts/s/a.go", importing("m/node"), "scripts/s/a.go:3: scripts/s imports m/node: a script works"},
		{"simulation past the core", "internal/sim/a.go", importing("m/node"), "internal/sim imports m/node: the simulation plays"},
		{"node to the simulation", "node/a.go", importing("m/internal/sim"), "node imports m/internal/sim: it serves tests"},
		{"command to a test helper", "cmd/p/a.go", importing("m/internal/pgtest"), "cmd/p imports m/internal/pgtest: it serves tests"},
		{"script's test to a command", "scripts/s/a_test.go", importing("m/cmd/p/x"), "scripts/s imports m/cmd/p/x: a script works"},
		{"room without a rule", "attic/a.go", "package attic\n", "attic/a.go:1: package attic has no rule: decide"},
		{"root package", "a.go", "package m\n", "a.go:1: package m has no rule: decide"},
		{"to a room without a rule", "cmd/p/a.go", importing("m/attic"), "cmd/p/a.go:3: cmd/p imports m/attic: it has no rule"},
		{"test helper outside of tests", "node/a.go", importing("m/internal/pgtest"), "node/a.go:3: node imports m/internal/pgtest: it serves tests"},
		{"test upwards", "counter/a_test.go", importing("m/node"), "counter/a_test.go:3: counter imports m/node: the parts know"},
		{"consistent", "node/a.go", importing("github.com/buraksezer/consistent"), "node/a.go:3: node imports github.com/buraksezer/consistent: placement"},
		{"memberlist in a test", "node/a_test.go", importing("github.com/hashicorp/memberlist"), "memberlist: gossip hides its library (allowed in gossip)"},
		{"pgx", "node/a.go", importing("github.com/jackc/pgx/v5/pgxpool"), "pgxpool: only flush talks"},
		{"sqlite", "cmd/p/a.go", importing("modernc.org/sqlite"), "modernc.org/sqlite: only flush talks"},
		{"fasthttp", "flush/a.go", importing("github.com/valyala/fasthttp"), "fasthttp: HTTP ends at httpapi"},
		{"plot", "bench/a.go", importing("gonum.org/v1/plot/vg"), "bench/a.go:3: bench imports gonum.org/v1/plot/vg: only bench/chart draws"},
		{"chart to bench", "bench/chart/a.go", importing("m/bench"), "bench/chart/a.go:3: bench/chart imports m/bench: chart draws"},
		{"core does I/O", "counter/a.go", importing("os"), "counter/a.go:3: counter imports os: the core does no I/O"},
		{"core below a banned path", "counter/a.go", importing("net/http"), "counter imports net/http: the core does no I/O"},
		{"core has a clock", "counter/a.go", importing("time"), "counter imports time: the core has no clock"},
		{"core rolls dice", "ring/a.go", importing("math/rand/v2"), "ring imports math/rand/v2: the same steps"},
		{"core goroutine", "counter/a.go", "package p\n\nfunc f() {\n\tgo f()\n}\n", "counter/a.go:4: go statement: the core starts no"},
		{
			"core asks a renamed clock", "counter/a.go", "package p\n\nimport c \"time\"\n\nvar t = c.Now()\n",
			"counter/a.go:5: time.Now: the core has no clock",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run(tree(c.file, c.text), &out, &errs); status != 1 {
				t.Errorf("exit status %d, want 1; stderr: %s", status, &errs)
			}
			got := strings.ReplaceAll(out.String(), module+"/", "m/")
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %q\nwant %q in it", got, c.want)
			}
		})
	}
}

func TestCheck_IsSilentWhenTheArrowIsRight(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
	}{
		{"node to part", "node/a.go", importing("m/counter")},
		{"httpapi to node", "httpapi/a.go", importing("m/node")},
		{"command to anything", "cmd/p/a.go", importing("m/flush")},
		{"command to its own part", "cmd/p/a.go", importing("m/cmd/p/sub")},
		{"part to helper", "counter/a.go", importing("m/internal/x")},
		{"helper to helper", "internal/x/a.go", importing("m/internal/y")},
		{"test helper in a test", "flush/a_test.go", importing("m/internal/pgtest")},
		{"simulation to the core", "internal/sim/a.go", importing("m/counter")},
		{"simulation in a test of the core", "counter/a_test.go", importing("m/internal/sim")},
		{"script to the load generator", "scripts/s/a.go", importing("m/bench")},
		{"script to a test helper", "scripts/s/a.go", importing("m/internal/pgtest")},
		{"test sideways", "counter/a_test.go", importing("m/flush")},
		{"test downwards", "httpapi/a_test.go", importing("m/flush")},
		{"consistent in ring", "ring/a.go", importing("github.com/buraksezer/consistent")},
		{"memberlist in gossip", "gossip/a.go", importing("github.com/hashicorp/memberlist")},
		{"pgx in flush", "flush/a.go", importing("github.com/jackc/pgx/v5")},
		{"pgx in a test", "node/a_test.go", importing("github.com/jackc/pgx/v5")},
		{"pgx in a test helper", "internal/pgtest/a.go", importing("github.com/jackc/pgx/v5")},
		{"fasthttp in a script", "scripts/s/a.go", importing("github.com/valyala/fasthttp")},
		{"plot in chart", "bench/chart/a.go", importing("gonum.org/v1/plot/vg")},
		{"strategies to chart", "bench/strategies/a.go", importing("m/bench/chart")},
		{"sync in the core", "counter/a.go", importing("sync")},
		{"name that only begins alike", "counter/a.go", importing("osmosis")},
		{"clock in a test of the core", "counter/a_test.go", "package p\n\nimport \"time\"\n\nvar t = time.Now()\n\nfunc f() { go f() }\n"},
		{"module of its own", "attic/a.go", ""},
		{"testdata", "node/testdata/a.go", "not Go"},
		{"hidden folder", ".run/a.go", "not Go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := tree(c.file, c.text)
			if c.text == "" {
				fsys["attic/go.mod"] = &fstest.MapFile{Data: []byte("module x\n")}
			}
			var out, errs bytes.Buffer
			if status := run(fsys, &out, &errs); status != 0 {
				t.Errorf("exit status %d, want 0: %s%s", status, &out, &errs)
			}
		})
	}
}

func TestRun_SaysTwoWhenTheCheckCannotBeMade(t *testing.T) {
	for name, fsys := range map[string]fstest.MapFS{
		"no go.mod":         {},
		"go.mod without it": {"go.mod": {Data: []byte("go 1.26\n")}},
		"broken file":       tree("node/a.go", "package"),
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if status := run(fsys, &out, &errs); status != 2 || errs.Len() == 0 {
				t.Errorf("exit status %d with %q on stderr, want 2 and a message", status, &errs)
			}
		})
	}
}

// The rules must not rest on somebody remembering to lint: every run of the tests asks this very module.
func TestArrows_HoldInThisModule(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run(os.DirFS("../.."), &out, &errs); status != 0 {
		t.Errorf("exit status %d:\n%s%s", status, &out, &errs)
	}
}
