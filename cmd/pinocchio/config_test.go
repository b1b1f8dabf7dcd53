package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

// once runs a command line that ends by itself.
func once(t *testing.T, args ...string) (status int, out, err string) {
	t.Helper()
	var o, e buffer
	status = run(context.Background(), args, streams{&o, &e}, func(int) {})
	return status, o.String(), e.String()
}

func settingsIn(t *testing.T, text string) string {
	t.Helper()
	path := fileIn(t, "pinocchio.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfig_TakesTheFileThenTheEnvironmentThenTheFlagAndSaysWhich(t *testing.T) {
	path := settingsIn(t, `
store: postgres://me:hunter2@db/x?sslpassword=hunter3
flush-interval: 700ms
lease-ttl: 9s
owner-timeout: 1s
partitions: 31
join: [a:1, b:2]
name: filed
`)
	t.Setenv("PINOCCHIO_LEASE_TTL", "10s")
	t.Setenv("PINOCCHIO_OWNER_TIMEOUT", "3s")
	t.Setenv("PINOCCHIO_SECRET", "a secret of the whole cluster")
	for _, how := range []string{"flag", "environment"} {
		args := []string{"config", "--owner-timeout", "4s"}
		named := "flag"
		if how == "flag" {
			args = append(args, "--config", path)
		} else {
			t.Setenv("PINOCCHIO_CONFIG", path)
			named = "environment PINOCCHIO_CONFIG"
		}
		status, out, err := once(t, args...)
		if status != exitOK || err != "" {
			t.Fatalf("%d %s", status, err)
		}
		for _, line := range []string{
			fmt.Sprintf("# config: %q  # %s", path, named),
			`store: "postgres://me@db/x"  # file ` + path + `, password hidden`,
			"flush-interval: 700ms  # file " + path,
			"lease-ttl: 10s  # environment PINOCCHIO_LEASE_TTL",
			"owner-timeout: 4s  # flag",
			"partitions: 31  # file " + path,
			`join: ["a:1", "b:2"]  # file ` + path,
			`name: "filed"  # file ` + path,
			`durability: "disk"  # default`,
			"# The cluster's secret (hidden) comes from the environment PINOCCHIO_SECRET.",
		} {
			if !strings.Contains("\n"+out, "\n"+line+"\n") {
				t.Errorf("by %s: %q is missing in\n%s", how, line, out)
			}
		}
		if strings.Contains(out, "hunter") || strings.Contains(out, "whole cluster") {
			t.Errorf("a secret is shown: %s", out)
		}
	}
}

func TestConfig_PrintsAFileThatGivesTheSameSettings(t *testing.T) {
	_, first, _ := once(t, "config", "--store", "sqlite:x", "--join", "a:1,b:2", "--lease-ttl", "9s", "--name", `n "1"`, "--data=", "--durability", "memory")
	status, second, err := once(t, "config", "--config", settingsIn(t, first))
	if status != exitOK {
		t.Fatalf("%s\n%s", err, first)
	}
	values := func(text string) (all string) {
		for line := range strings.Lines(text) {
			if setting, _, ok := strings.Cut(line, "  # "); ok && !strings.HasPrefix(line, "#") {
				all += setting + "\n"
			}
		}
		return all
	}
	if values(first) != values(second) || !strings.Contains(first, "lease-ttl: 9s") {
		t.Errorf("%s\nbecame\n%s", first, second)
	}
}

func TestConfig_ASettingThatServeRefusesIsShownAndSaid(t *testing.T) {
	status, out, err := once(t, "config", "--store", "mysql://me:hunter2@db/x", "--lease-ttl", "1ms", "--name", "n")
	if status != exitFailed || !strings.Contains(out, "lease-ttl: 1ms") || !strings.Contains(err, "the lease is 1ms") || !strings.Contains(err, "--store must begin") {
		t.Errorf("%d %s\n%s", status, err, out)
	}
	if strings.Contains(out+err, "hunter2") {
		t.Errorf("a password is shown: %s%s", out, err)
	}
}

// Faults of each kind and from each place, all in the one line.
func TestServe_NamesEveryFaultAtOnce(t *testing.T) {
	path := settingsIn(t, "max-counters: many\nflush-intervall: 1s\nlease-ttl: 1ms\ndata: \"\"\n")
	t.Setenv("PINOCCHIO_STORE_TIMEOUT", "soon")
	t.Setenv("PINOCCHIO_DURABILITY", "disk")
	for _, c := range []struct {
		args string
		says []string
	}{
		{"--partitions x --max-pending 5 --log-level loud --config " + path, []string{
			"--partitions", "--log-level", "PINOCCHIO_STORE_TIMEOUT", "--max-counters in " + path, `"flush-intervall" is no setting`,
			"missing flags: --store", "max pending is 5", "the lease is 1ms", "set --data",
		}},
		{"--max-pending 5 --http nowhere --config " + path, []string{
			"PINOCCHIO_STORE_TIMEOUT", "--max-counters", `"flush-intervall" is no setting`, "missing flags: --store", "max pending is 5", "--http must be host:port",
		}},
		{"--store mysql://x --rate-limit often --config /does/not/exist", []string{"--rate-limit and --rate-burst", "/does/not/exist", "PINOCCHIO_STORE_TIMEOUT", "--store must begin"}},
		{"--store sqlite:x --config " + settingsIn(t, "- x"), []string{"must be a YAML mapping", "PINOCCHIO_STORE_TIMEOUT"}},
		{"--store sqlite:x --config " + settingsIn(t, "join: {a: b}\nname:\nconfig: x\n"), []string{"join must be a value", "name must be a value", `"config" is no setting`}},
		{"--store sqlite:x --config " + settingsIn(t, "name: a\nname: b\n"), []string{"name"}},
	} {
		status, _, err := once(t, append([]string{"serve"}, strings.Fields(c.args)...)...)
		if status != exitUsage || strings.Count(err, "\n") != 1 {
			t.Errorf("%s: %d %s", c.args, status, err)
		}
		for _, text := range c.says {
			if strings.Count(err, text) != 1 {
				t.Errorf("%s: %q stands %d times in %s", c.args, text, strings.Count(err, text), err)
			}
		}
	}
}

func TestFaults_OfOtherCommandsAreOnlyThoseThatThereAre(t *testing.T) {
	for args, want := range map[string]string{
		"bench --verify --requests many --strict --seed -1": `pinocchio: --requests: expected a valid 64 bit int but got "many"; --seed on the command line: `,
		"top --once --exact":          "pinocchio: unknown flag --exact",
		"get --json --timeout 5s":     `pinocchio: expected "<key>"; see pinocchio --help`,
		"completion bash --timeout 1": "pinocchio: unknown flag --timeout; see pinocchio --help",
	} {
		status, _, err := once(t, strings.Fields(args)...)
		if status != exitUsage || !strings.HasPrefix(err, want) {
			t.Errorf("%s: %d %s", args, status, err)
		}
	}
}

func TestVariables_ThatAreNoSettingAreNamed(t *testing.T) {
	for name, value := range map[string]string{
		"PINOCCHIO_STROE": "sqlite:x", "PINOCCHIO_LEASE": "hunter2", "PINOCCHIO_SERVER": "http://a", // the last one is of another command
		"PINOCCHIO_SERVICE_HOST": "10.0.0.1", "PINOCCHIO_SERVICE_PORT": "3333", "PINOCCHIO_SERVICE_PORT_HTTP": "3333", "PINOCCHIO_PORT": "tcp://10.0.0.1:3333",
		"PINOCCHIO_PORT_3333_TCP": "x", "PINOCCHIO_PORT_3333_TCP_ADDR": "x", "PINOCCHIO_METRICS_SERVICE_HOST": "x", "PINOCCHIO_METRICS_PORT_7946_UDP_PROTO": "x",
	} {
		t.Setenv(name, value)
	}
	status, _, err := once(t, "serve")
	if status != exitUsage || !strings.Contains(err, "missing flags: --store") || !strings.Contains(err, "no setting, and ignored: PINOCCHIO_LEASE, PINOCCHIO_STROE in the environment;") {
		t.Errorf("%d %s", status, err)
	}
	_, out, _ := once(t, "config", "--store", "sqlite:x", "--name", "n")
	if !strings.Contains(out, "# PINOCCHIO_STROE in the environment is no setting") || strings.Contains(out, "hunter2") || strings.Contains(out, "SERVICE") {
		t.Errorf("%s", out)
	}
	r, _ := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	if log := r.err.String(); strings.Count(log, "is no setting") != 2 || !strings.Contains(log, "variable=PINOCCHIO_LEASE\n") {
		t.Errorf("%s", log)
	}
}
