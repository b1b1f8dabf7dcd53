package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func (s *Server) copy() string { return filepath.Join(s.home, "copy") }

// Keep copies what is on the disk of a server that was killed, in place of an earlier copy.
func (s *Server) Keep() error {
	return s.whileDown(func() error { return replace(s.copy(), s.data()) })
}

// PutBack gives a server that was killed what Keep has copied: all that it did since is gone, as after the failover to a standby that
// was behind.
func (s *Server) PutBack() error {
	return s.whileDown(func() error { return replace(s.data(), s.copy()) })
}

func (s *Server) whileDown(do func() error) error {
	if s.process != nil {
		return errors.New("the server is running: kill it before its files are copied")
	}
	return do()
}

// replace makes one folder a copy of the other, with owners and modes.
func replace(to, from string) error {
	if _, err := os.Stat(from); err != nil {
		return err // before anything is deleted
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy %s: %w: %s", from, err, strings.TrimSpace(string(out)))
	}
	return nil
}
