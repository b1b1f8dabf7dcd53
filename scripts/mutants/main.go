package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	count := flag.Int("seeds", 3000, "how many seeds of the simulation to play against each mutant")
	only := flag.String("only", "", "plant only the mutants of this rule or part, or whose name contains this")
	list := flag.Bool("list", false, "plant nothing: check that each mutant fits the code, and list them")
	flag.Parse()
	bad, err := run(*count, *only, *list)
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
func run(count int, only string, list bool) (bad int, err error) {
	top, err := moduleTop()
	if err != nil {
		return 0, err
	}
	var misfits []error
	for _, s := range suites() {
		misfits = append(misfits, fits(top, s.mutants))
	}
	if err := errors.Join(misfits...); err != nil {
		return 0, err
	}
	scratch, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	planted, wanted := 0, choose(only)
	for _, s := range suites() {
		sound := false
		for _, m := range s.mutants {
			if !wanted(m) {
				continue
			}
			planted++
			fmt.Printf("%-9s %-58s ", m.rule, m.name)
			if list {
				fmt.Println("fits", m.file)
				continue
			}
			if !sound {
				if err := s.sound(top); err != nil {
					return bad, err
				}
				sound = true
			}
			began := time.Now()
			at, err := m.plant(top, scratch, s.read)
			if err != nil {
				return bad, err
			}
			verdict := s.judge(m, at, count)
			if !verdict.caught() {
				bad++
			}
			fmt.Printf("%s (%.0fs)\n", verdict, time.Since(began).Seconds())
		}
	}
	if planted == 0 {
		return 0, fmt.Errorf("no mutant is of the rule %q or has that in its name: -list shows them", only)
	}
	if !list {
		fmt.Printf("%d planted, %d caught\n", planted, planted-bad)
	}
	return bad, nil
}

// choose returns what tells whether a mutant is to be planted: by its rule or part or, when there is none of that name, by a piece
// of its own name.
func choose(only string) func(mutant) bool {
	byName := func(m mutant) bool { return strings.Contains(m.name, only) }
	byRule := func(m mutant) bool { return m.rule == only }
	for _, s := range suites() {
		if slices.ContainsFunc(s.mutants, byRule) {
			return byRule
		}
	}
	return byName
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
