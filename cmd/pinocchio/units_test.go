package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const unitFile = "../../deploy/systemd/pinocchio.service"

// Red when a flag is renamed and a file for operators still sets its old variable, which nothing would tell at the start.
func TestDeploy_EveryVariableIsASetting(t *testing.T) {
	parser, err := newParser(streams{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{secretVariable: true}
	for _, command := range parser.Model.Leaves(false) {
		if command.Name != "serve" {
			continue
		}
		for _, flag := range command.Flags {
			known[flag.Envs[0]] = true
		}
	}
	for _, path := range []string{unitFile, "../../deploy/kubernetes/pinocchio.yaml", "../../docker-compose.cluster.yml", "../../Dockerfile"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`\bPINOCCHIO_[A-Z_]+`).FindAllString(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s sets nothing", path)
		}
		for _, name := range found {
			if !known[name] {
				t.Errorf("%s sets %s, which serve does not know", path, name)
			}
		}
	}
}

// systemd says what it thinks of the unit where it is installed; everywhere, the unit has what a node needs.
func TestDeploy_TheUnitIsGood(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ExecStart=/usr/local/bin/pinocchio serve", "StateDirectory=pinocchio", "WorkingDirectory=%S/pinocchio", "TimeoutStopSec=45", "WantedBy=multi-user.target"} {
		if !strings.Contains("\n"+string(text), "\n"+line+"\n") {
			t.Errorf("%q is missing", line)
		}
	}
	systemd, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not installed here: the unit was only read")
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(unit string) string {
		// The binary stands elsewhere here.
		path := filepath.Join(t.TempDir(), "pinocchio.service")
		if err := os.WriteFile(path, []byte(strings.Replace(unit, "/usr/local/bin/pinocchio", self, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.CommandContext(t.Context(), systemd, "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput()
		if err != nil {
			return string(said) + err.Error()
		}
		return string(said)
	}
	if said := verify(string(text)); strings.Contains(said, "pinocchio.service") {
		t.Error(said)
	}
	if said := verify(strings.Replace(string(text), "NoNewPrivileges", "NoNewPrivilege", 1)); !strings.Contains(said, "NoNewPrivilege") {
		t.Errorf("systemd does not notice a setting that there is not: %q", said)
	}
}

// Red when an alert has no row in docs/OPERATIONS.md, or a row no alert; and when a command is not in its table.
func TestDeploy_TheDocsSayWhatEachAlertAndCommandMeans(t *testing.T) {
	docs, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := func(pattern string, text []byte) (all []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return all
	}
	alerts, rows := names(`(?m)^ +- alert: (\w+)$`, rules), names("(?m)^\\| `(Pinocchio\\w+)` \\|", docs)
	if len(alerts) == 0 || !slices.Equal(alerts, rows) {
		t.Errorf("the alerts are\n%v\nthe docs have\n%v", alerts, rows)
	}
	for _, command := range []string{"get", "incr", "cluster", "top", "health", "config", "bench", "completion"} {
		if !strings.Contains(string(docs), "\n| `pinocchio "+command) {
			t.Errorf("the command %s has no row", command)
		}
	}
}
