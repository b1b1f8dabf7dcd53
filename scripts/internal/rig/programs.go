package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// NeedNetwork returns an error that says what is missing for network namespaces: root, or one of the programs.
func NeedNetwork(programs ...string) error {
	packages := map[string]string{"ip": "iproute2", "nsenter": "util-linux"}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("install %s: %w", packages[program], err)
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run it as root, or with sudo")
	}
	return nil
}

// Run runs programs that are quiet when all is well, one for each line, until one fails. No argument holds a blank.
func Run(lines ...string) error {
	for _, line := range lines {
		args := strings.Fields(line)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
