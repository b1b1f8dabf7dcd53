package clock

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

func TestStore_RemembersTheLatestThatItWas(t *testing.T) {
	s := &Store{path: filepath.Join(t.TempDir(), "clock")}
	for _, step := range []struct {
		by, behind time.Duration
		text       string
	}{
		{time.Hour, 0, "+3600.000000\n"}, {-90 * time.Minute, 90 * time.Minute, "-1800.000000\n"}, {90 * time.Minute, 0, "+3600.000000\n"},
	} {
		if err := s.Step(step.by); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(s.path)
		if err != nil || string(text) != step.text || s.Behind() != step.behind {
			t.Errorf("after %v: %q, %v, behind by %v, want %q and %v", step.by, text, err, s.Behind(), step.text, step.behind)
		}
	}
}

func TestAhead_NoticesAClockThatDoesNotFollow(t *testing.T) {
	told := strconv.FormatInt(time.Now().Unix(), 10)
	if err := Ahead(told, 0); err != nil {
		t.Error(err)
	}
	if err := Ahead(told, time.Hour); err == nil {
		t.Error("took the host's clock for one that is ahead")
	}
	if err := Ahead("soon", 0); err == nil {
		t.Error("took no number")
	}
}
