package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// place is where one mutant stands: laid over the module's tree or, for a file that a test reads while it runs, in a second tree
// of which only that file is another.
type place struct {
	top     string
	overlay string // of go test -overlay; "": none
	second  string // top folder of the second tree; "": there is none
}

// plant writes the changed file and what brings it before the tests.
func (m *mutant) plant(top, scratch string, read bool) (place, error) {
	original := filepath.Join(top, m.file)
	text, err := os.ReadFile(original)
	if err != nil {
		return place{}, err
	}
	changed, err := m.apply(string(text))
	if err != nil {
		return place{}, err
	}
	if read {
		return plantRead(top, scratch, m.file, changed)
	}
	copied, overlay := filepath.Join(scratch, filepath.Base(m.file)), filepath.Join(scratch, "overlay.json")
	if err := os.WriteFile(copied, []byte(changed), 0o600); err != nil {
		return place{}, err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: copied}})
	if err != nil {
		return place{}, err
	}
	return place{top: top, overlay: overlay}, os.WriteFile(overlay, replace, 0o600)
}

// plantRead makes the second tree: links to what the first one has, but for the changed file and the folders above it, and for
// cmd/pinocchio, in which the tests run: "../.." must lead into the second tree.
func plantRead(top, scratch, file, changed string) (place, error) {
	second, err := os.MkdirTemp(scratch, "tree")
	if err != nil {
		return place{}, err
	}
	own := []string{filepath.Dir(file), commandFolder}
	for _, folder := range []string{".", "cmd", commandFolder, strings.Split(file, "/")[0], filepath.Dir(file)} {
		if err := link(top, second, folder, append(own, file)); err != nil {
			return place{}, err
		}
	}
	return place{top: top, second: second}, os.WriteFile(filepath.Join(second, file), []byte(changed), 0o600)
}

// link makes a folder of the second tree, with links to all that is in the first one's but is not made anew.
func link(top, second, folder string, anew []string) error {
	entries, err := os.ReadDir(filepath.Join(top, folder))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(second, folder), 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		if slices.ContainsFunc(anew, func(a string) bool { return a == name || strings.HasPrefix(a, name+"/") }) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(second, name)); err == nil {
			continue // the folder was linked before
		}
		if err := os.Symlink(filepath.Join(top, name), filepath.Join(second, name)); err != nil {
			return err
		}
	}
	return nil
}

const commandFolder = "cmd/pinocchio"

// goTest returns what the tests said, and whether they failed. The arguments are a package and, after it, options.
func (p place) goTest(limit string, tests ...string) (text string, failed bool) {
	if p.second != "" {
		return p.testSecond(limit, tests...)
	}
	args := []string{"test", "-count=1", "-timeout", limit}
	if p.overlay != "" {
		args = append(args, "-overlay", p.overlay)
	}
	c := exec.Command("go", append(args, tests...)...)
	c.Dir = p.top
	out, err := c.CombinedOutput()
	return string(out), err != nil
}

// testSecond compiles the tests of commandFolder in the first tree, where all is built already, and runs them in the second.
func (p place) testSecond(limit string, tests ...string) (text string, failed bool) {
	if tests[0] != "./"+commandFolder {
		return fmt.Sprintf("the tests of %s do not run in a second tree", tests[0]), true
	}
	binary := filepath.Join(p.second, "tests")
	c := exec.Command("go", "test", "-c", "-o", binary, tests[0])
	c.Dir = p.top
	if out, err := c.CombinedOutput(); err != nil {
		return string(out), true
	}
	args := []string{"-test.timeout=" + limit}
	for _, a := range tests[1:] {
		if strings.HasPrefix(a, "-") {
			a = "-test." + a[1:]
		}
		args = append(args, a)
	}
	c = exec.Command(binary, args...)
	c.Dir = filepath.Join(p.second, commandFolder)
	out, err := c.CombinedOutput()
	return string(out), err != nil
}
