package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

func main() {
	os.Exit(run(os.DirFS("."), os.Stdout, os.Stderr))
}

// run checks the module in fsys, prints each violation to out and faults of its own to errs, and returns the exit
// status: 0 all arrows hold, 1 some do not, 2 the check could not be made.
func run(fsys fs.FS, out, errs io.Writer) int {
	found, err := check(fsys, moduleRules())
	for _, v := range found {
		fmt.Fprintln(out, v)
	}
	switch {
	case err != nil:
		fmt.Fprintln(errs, "arrows:", err)
		return 2
	case len(found) > 0:
		fmt.Fprintf(errs, "arrows: %d imports or statements break a rule of scripts/arrows/rules.go\n", len(found))
		return 1
	}
	return 0
}
