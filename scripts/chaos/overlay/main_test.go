package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/clock"
)

// program tells the time of day, and how far the monotonic clock got since the start.
const program = `package main

import "time"

func main() {
	began := time.Now()
	println(began.UnixNano(), time.Since(began))
}
`

func TestOverlay_StepsTheTimeOfDayOnly(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	source, binary := filepath.Join(folder, "told.go"), filepath.Join(folder, "told")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(folder, "overlay.json"), "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	node, err := clock.NewNode(filepath.Join(folder, "clock"))
	if err != nil {
		t.Fatal(err)
	}
	if followed, err := node.Followed(); followed || err != nil {
		t.Errorf("nobody has run, followed: %t, %v", followed, err)
	}
	expectAhead(t, binary, 0)
	for _, step := range []struct{ by, ahead time.Duration }{
		{time.Hour, time.Hour}, {-90 * time.Minute, -30 * time.Minute}, {30 * time.Minute, 0},
	} {
		if err := node.Step(step.by); err != nil {
			t.Fatal(err)
		}
		expectAhead(t, binary, step.ahead, node.Environment())
	}
	if followed, err := node.Followed(); !followed || err != nil {
		t.Errorf("followed: %t, %v", followed, err)
	}
}

// expectAhead runs the program, which takes less than a minute.
func expectAhead(t *testing.T, binary string, want time.Duration, env ...string) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), env...)
	before := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var wall, mono int64
	if _, err := fmt.Sscan(string(out), &wall, &mono); err != nil {
		t.Fatal(err)
	}
	if off := time.Unix(0, wall).Sub(before.Round(0)) - want; off < -time.Second || off > time.Minute {
		t.Errorf("the time of day is off by %v", off)
	}
	if mono < 0 || mono > int64(time.Minute) {
		t.Errorf("the monotonic clock went %v", time.Duration(mono))
	}
}

func TestChange_FailsWhenTimeIsWrittenOtherwise(t *testing.T) {
	if _, err := change([]byte("package time\n")); err == nil {
		t.Error("took it")
	}
}
