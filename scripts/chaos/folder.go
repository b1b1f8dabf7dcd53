package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Files of a run's folder.
const (
	prefix      = "pinocchio-chaos-"
	reportFile  = "report.txt" // stands there when the folder is to be kept
	historyFile = "history.tsv"
	eventsFile  = "events.log"
)

// newFolder makes the folder of this run, and removes those of runs that were ended by force.
func newFolder() (string, error) {
	stale, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return "", err
	}
	for _, folder := range stale {
		if abandoned(folder) {
			if err := os.RemoveAll(folder); err != nil {
				return "", fmt.Errorf("remove what an earlier run left: %w", err)
			}
		}
	}
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755) // Postgres' account must get through
}

// abandoned says whether the folder's run is over and left no report.
func abandoned(folder string) bool {
	var owner int
	if _, err := fmt.Sscanf(filepath.Base(folder), prefix+"%d-", &owner); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(folder, reportFile)); err == nil {
		return false
	}
	return syscall.Kill(owner, 0) == syscall.ESRCH
}
