package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	count := flag.Int("seeds", 3000, "how many seeds of the simulation to play against each mutant")
	only := flag.String("only", "", "plant only the mutants whose name or rule contains this")
	flag.Parse()
	bad, err := run(*count, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	if bad > 0 {
		fmt.Printf("%d mutants were not caught\n", bad)
		os.Exit(1)
	}
}

// run plants the mutants one after another, and returns how many were not caught.
func run(count int, only string) (bad int, err error) {
	top, err := moduleTop()
	if err != nil {
		return 0, err
	}
	if err := fits(top, mutants); err != nil {
		return 0, err
	}
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	for _, m := range mutants {
		if !strings.Contains(m.name+" "+m.rule, only) {
			continue
		}
		began := time.Now()
		overlay, err := m.plant(top, scratch)
		if err != nil {
			return bad, err
		}
		verdict := judge(top, overlay, m.file, count, seeds[m.name])
		if !verdict.caught() {
			bad++
		}
		fmt.Printf("%-4s %-58s %s (%.0fs)\n", m.rule, m.name, verdict, time.Since(began).Seconds())
	}
	return bad, nil
}

// moduleTop returns the folder of the module's go.mod.
func moduleTop() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("not inside a module")
	}
	return filepath.Dir(mod), nil
}

// fits checks that every mutant can be planted, before the first one is.
func fits(top string, all []mutant) error {
	var faults []error
	for _, m := range all {
		text, err := os.ReadFile(filepath.Join(top, m.file))
		if err != nil {
			return err
		}
		if _, err := m.apply(string(text)); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// apply returns the file's text with the mistake in it.
func (m *mutant) apply(text string) (string, error) {
	for _, e := range m.edits {
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("%q: its text stands %d times in %s, not once:\n%s", m.name, n, m.file, e.old)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return text, nil
}

// plant writes the changed file and the overlay that lays it over the tree, and returns the overlay's name.
func (m *mutant) plant(top, scratch string) (string, error) {
	original := filepath.Join(top, m.file)
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	changed, err := m.apply(string(text))
	if err != nil {
		return "", err
	}
	copied, overlay := filepath.Join(scratch, filepath.Base(m.file)), filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(copied, []byte(changed), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, replace, 0o600)
}

// verdict says what caught a mutant.
type verdict struct {
	test string // the first unit test that failed
	seed int    // the lowest seed that failed, of those that were reported
	rule string // and the rule that it found broken
	err  string // it could not be judged
}

func (v verdict) caught() bool { return v.err == "" && (v.test != "" || v.seed != 0) }

// String returns what is printed.
func (v verdict) String() string {
	if v.err != "" {
		return "NOT JUDGED: " + v.err
	}
	var by []string
	if v.test != "" {
		by = append(by, v.test)
	}
	if v.seed != 0 {
		by = append(by, fmt.Sprintf("the simulation (seed %d: %s)", v.seed, v.rule))
	}
	if by == nil {
		return "SURVIVED"
	}
	return "caught by " + strings.Join(by, " and ")
}

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	failedSeed = regexp.MustCompile(`seed (\d+), at \d+: (R\d+|counter|runtime error)`)
	hung       = regexp.MustCompile(`(?m)^panic: test timed out`)
	crashed    = regexp.MustCompile(`(?m)^(panic|fatal error): `)
)

// judge runs unit tests and, beside them, the simulation with the mutant in place: so many seeds, and one besides unless it is
// 0. The simulation has a store of its own, so it is left out where the mistake is in the real one.
func judge(top, overlay, file string, count, besides int) verdict {
	var played verdict
	var playing sync.WaitGroup
	if filepath.Dir(file) != "flush" {
		playing.Go(func() {
			played.play(top, overlay, "-seeds", count)
			if played.seed == 0 && played.err == "" && besides != 0 {
				played.play(top, overlay, "-seed", besides)
			}
		})
	}
	v := unitTests(top, overlay, file)
	playing.Wait()
	v.seed, v.rule, v.err = played.seed, played.rule, cmp.Or(v.err, played.err)
	return v
}

// unitTests runs the tests of the package that the mistake is in; for the simulation's own files, those of the core.
func unitTests(top, overlay, file string) (v verdict) {
	args := []string{"-overlay", overlay, "-timeout", "60s"}
	switch filepath.Dir(file) {
	case "flush":
		args = append(args, "./flush", "-run", "TestStore/sqlite")
	case "journal":
		args = append(args, "./journal")
	default:
		args = append(args, "./counter")
	}
	text, failed := goTest(top, args...)
	switch m := deepest(failedTest.FindAllStringSubmatch(text, -1)); {
	case !failed:
	case m != nil:
		v.test = m[1]
	case hung.MatchString(text):
		v.test = "a unit test that hung"
	case crashed.MatchString(text):
		v.test = "a unit test that panicked"
	default:
		v.err = firstLines(text)
	}
	return v
}

// play runs the simulation, and notes the lowest seed that fails.
func (v *verdict) play(top, overlay, option string, value int) {
	text, failed := goTest(top, "-overlay", overlay, "-timeout", "120s",
		"./internal/sim", "-run", "TestSimulation_KeepsTheRules", option, strconv.Itoa(value))
	for _, m := range failedSeed.FindAllStringSubmatch(text, -1) {
		if seed, err := strconv.Atoi(m[1]); err == nil && (v.seed == 0 || seed < v.seed) {
			v.seed, v.rule = seed, m[2]
		}
	}
	if failed && v.seed == 0 {
		v.err = cmp.Or(firstLines(text), "the simulation failed without a seed")
	}
}

// goTest returns what the tests said, and whether they failed.
func goTest(top string, args ...string) (text string, failed bool) {
	c := exec.Command("go", append([]string{"test", "-count=1"}, args...)...)
	c.Dir = top
	out, err := c.CombinedOutput()
	return string(out), err != nil
}

// deepest returns the first match of those that name a test's innermost part.
func deepest(found [][]string) (deep []string) {
	for _, m := range found {
		if deep == nil || strings.Count(m[1], "/") > strings.Count(deep[1], "/") {
			deep = m
		}
	}
	return deep
}

func firstLines(text string) string {
	lines := strings.SplitN(text, "\n", 6)
	return strings.Join(lines[:min(5, len(lines))], "\n\t")
}
