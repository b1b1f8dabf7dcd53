package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAudit_NamesEachNodeAndFailsWithTheCommand(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	write := func(script string) {
		t.Helper()
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("echo \"$@\"\necho adds up\n")
	lines, err := Audit(t.Context(), program, "postgres://s", []string{"h:1", "h:2"}, time.Minute)
	if err != nil || len(lines) != 2 || lines[0] != "audit --store postgres://s --exact --wait 1m0s --server h:1 --server h:2" || lines[1] != "adds up" {
		t.Errorf("%q, %v", lines, err)
	}
	write("echo it does not add up >&2\nexit 1\n")
	lines, err = Audit(t.Context(), program, "postgres://s", nil, time.Minute)
	if err == nil || !strings.Contains(err.Error(), "it does not add up") || len(lines) != 1 {
		t.Errorf("%q, %v", lines, err)
	}
}
