package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

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

// judge runs the suite's tests with the mutant in place.
func (s suite) judge(m mutant, at place, count int) verdict {
	if s.tests != nil {
		return unitTests(at, s.tests)
	}
	return judgeCore(m, at, count)
}

// sound runs the suite's tests without a mistake: where they fail all the same, they would seem to catch everything.
func (s suite) sound(top string) error {
	if s.tests == nil {
		return nil // the simulation and the core's tests: make test has run them
	}
	if v := unitTests(place{top: top}, s.tests); v.test != "" || v.err != "" {
		return fmt.Errorf("%s: without any mistake: %s", strings.Join(s.tests, " "), v)
	}
	return nil
}

// judgeCore runs the tests of the package that the mistake is in (for the simulation's own files, those of the core) and, beside
// them, the simulation: so many seeds, and one besides if the list has one. The simulation has a store of its own, so it
// is left out where the mistake is in the real one.
func judgeCore(m mutant, at place, count int) verdict {
	tests := []string{"./counter"}
	folder := filepath.Dir(m.file)
	switch folder {
	case "flush":
		tests = []string{"./flush", "-run", "TestStore/sqlite"}
	case "journal":
		tests = []string{"./journal"}
	}
	var played verdict
	var playing sync.WaitGroup
	if folder != "flush" {
		playing.Go(func() {
			played.play(at, "-seeds", count)
			if besides := seeds[m.name]; played.seed == 0 && played.err == "" && besides != 0 {
				played.play(at, "-seed", besides)
			}
		})
	}
	v := unitTests(at, tests)
	playing.Wait()
	v.seed, v.rule, v.err = played.seed, played.rule, cmp.Or(v.err, played.err)
	return v
}

// unitTests runs tests with the mutant in place.
func unitTests(at place, tests []string) (v verdict) {
	text, failed := at.goTest("120s", tests...)
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
func (v *verdict) play(at place, option string, value int) {
	text, failed := at.goTest("120s",
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
