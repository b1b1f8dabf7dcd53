package rig

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Audit runs "pinocchio audit" over a store and the nodes that live, at host:port, and returns what it printed. It fails also when
// the nodes still count after wait, or when one that has a lease was not named. A process that was killed has taken its figures
// with it: of those only the sums in the tables are compared.
func Audit(ctx context.Context, program, store string, nodes []string, wait time.Duration) (lines []string, err error) {
	args := []string{"audit", "--store", store, "--exact", "--wait", wait.String()}
	for _, addr := range nodes {
		args = append(args, "--server", addr)
	}
	text, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("pinocchio audit: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), err
}
