package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// stepped is the file that package time gets in addition. It is no Go file of this package.
//
//go:embed stepped.go.txt
var stepped []byte

// The line of time.Now that is changed, and what it becomes.
const (
	read    = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed = "func Now() Time {\n\tsec, nsec, mono := steppedNow()\n"
)

func main() {
	if len(os.Args) != 2 || strings.HasPrefix(os.Args[1], "-") {
		_, _ = fmt.Fprintln(os.Stderr, "usage: overlay FOLDER   writes FOLDER/overlay.json, for go build -overlay")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
}

// write fills the folder with the overlay of the installed Go.
func write(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		return err
	}
	if text, err = change(text); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(source, "time.go"), err)
	}
	replace := map[string]string{
		filepath.Join(source, "time.go"):    filepath.Join(folder, "time.go"),
		filepath.Join(source, "stepped.go"): filepath.Join(folder, "stepped.go"),
	}
	list, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "  ")
	return errors.Join(err, os.MkdirAll(folder, 0o755),
		os.WriteFile(filepath.Join(folder, "time.go"), text, 0o644),
		os.WriteFile(filepath.Join(folder, "stepped.go"), stepped, 0o644),
		os.WriteFile(filepath.Join(folder, "overlay.json"), list, 0o644))
}

// change returns the source of package time in which Now reads the stepped clock.
func change(source []byte) ([]byte, error) {
	if n := bytes.Count(source, []byte(read)); n != 1 {
		return nil, fmt.Errorf("time.Now does not read the clock as expected (found %d times): this Go needs another overlay", n)
	}
	return bytes.Replace(source, []byte(read), []byte(changed), 1), nil
}
