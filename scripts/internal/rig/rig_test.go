package rig

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAwait_AsksUntilTheConditionHolds(t *testing.T) {
	asked := 0
	err := Await(t.Context(), time.Minute, "rest", func() error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestAwait_SaysWhatWasNotThereInTime(t *testing.T) {
	cause := errors.New("n1 is not ready")
	err := Await(t.Context(), time.Millisecond, "rest", func() error { return cause })
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "rest: not within 1ms") {
		t.Error(err)
	}
}

func TestAwait_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := Await(ctx, time.Minute, "rest", func() error { cancel(); return errors.New("not yet") })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPause_TellsATimeThatIsOverFromAnEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if !Pause(ctx, time.Millisecond) {
		t.Error("a pause that is over was taken for an end")
	}
	cancel()
	if Pause(ctx, time.Hour) {
		t.Error("an end was taken for a pause that is over")
	}
}

func TestUntilSignal_EndsTheContextWithASignal(t *testing.T) {
	status := UntilSignal(func(ctx context.Context) int {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if Pause(ctx, time.Minute) {
			t.Error("the context goes on")
		}
		return Broken
	})
	if status != Broken {
		t.Errorf("exit status %d, want %d", status, Broken)
	}
}

func TestComplaints_AreToldAllAtOnce(t *testing.T) {
	var c Complaints
	c.If(false, "never %d", 1)
	c.Add(nil)
	if err := c.Err(); err != nil {
		t.Errorf("nothing is wrong, but: %v", err)
	}
	c.If(true, "--nodes %d", 7)
	c.Add(errors.New("--bin"))
	if got := c.Err().Error(); got != "--nodes 7\n--bin" {
		t.Errorf("%q", got)
	}
}

func TestSeed_IsTheOneThatWasAskedForOrANewOne(t *testing.T) {
	if Seed(7) != 7 {
		t.Error("another seed than was asked for")
	}
	if one, two := Seed(0), Seed(0); one == two {
		t.Errorf("two new seeds are %d", one)
	}
}

func TestRun_StopsAtTheFirstProgramThatFailsAndTellsWhatItSaid(t *testing.T) {
	err := Run("true", "ls /no/such/file", "/no/such/program")
	if err == nil || !strings.Contains(err.Error(), "ls /no/such/file: exit status 2: ") {
		t.Error(err)
	}
	if err := Run("true", "true"); err != nil {
		t.Error(err)
	}
}

func TestNeedNetwork_NamesThePackageOfAProgramThatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := NeedNetwork("nsenter"); err == nil || !strings.Contains(err.Error(), "install util-linux") {
		t.Error(err)
	}
}
