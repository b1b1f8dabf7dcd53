package gossip

import (
	"fmt"
	"log/slog"
	"testing"
	"time"
)

func TestLog_GivesEachLineItsLevel(t *testing.T) {
	for line, want := range map[string]struct {
		level slog.Level
		text  string
	}{
		"[DEBUG] memberlist: Stream connection from=1.2.3.4:5\n":                       {slog.LevelDebug, "Stream connection from=1.2.3.4:5"},
		"[INFO] memberlist: Marking a as failed, suspect timeout reached\n":            {slog.LevelInfo, "Marking a as failed, suspect timeout reached"},
		"[WARN] memberlist: Refuting a suspect message (from: a)":                      {slog.LevelWarn, "Refuting a suspect message (from: a)"},
		"[ERR] memberlist: Error accepting TCP connection: x":                          {slog.LevelError, "Error accepting TCP connection: x"},
		"[ERROR] memberlist: Failed to encrypt local state: x":                         {slog.LevelError, "Failed to encrypt local state: x"},
		"[ERR] Failed to shutdown transport: x":                                        {slog.LevelError, "Failed to shutdown transport: x"},
		"Err: Could not set the deadline: x":                                           {slog.LevelWarn, "Err: Could not set the deadline: x"},
		"[unfinished":                                                                  {slog.LevelWarn, "[unfinished"},
		"[ERR] memberlist: Failed fallback TCP ping: x":                                {slog.LevelDebug, "Failed fallback TCP ping: x"},
		"[ERR] memberlist: Push/Pull with a failed: x":                                 {slog.LevelDebug, "Push/Pull with a failed: x"},
		"[WARN] memberlist: Got ping for unexpected node 'a' from=x":                   {slog.LevelDebug, "Got ping for unexpected node 'a' from=x"},
		"[WARN] memberlist: ignoring alive message for 'a': x":                         {slog.LevelDebug, "ignoring alive message for 'a': x"},
		"[ERR] memberlist: failed to receive: read tcp: connection reset from=x":       {slog.LevelDebug, "failed to receive: read tcp: connection reset from=x"},
		"[ERR] memberlist: discarding packet with unacceptable label \"other\": from=": {slog.LevelWarn, "discarding packet with unacceptable label \"other\": from="},
	} {
		log := &recorder{}
		w := newLogWriter(log.logger(slog.LevelDebug))
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if log.count("level="+want.level.String(), "msg="+fmt.Sprintf("%q", want.text)) != 1 &&
			log.count("level="+want.level.String(), "msg="+want.text) != 1 {
			t.Errorf("%q became %s", line, log)
		}
	}
}

func TestLog_SaysTheSameOnceAMinute(t *testing.T) {
	log := &recorder{}
	w := newLogWriter(log.logger(slog.LevelInfo))
	now := time.Unix(0, 0)
	w.now = func() time.Time { return now }
	say := func(port int) {
		_, _ = fmt.Fprintf(w, "[ERR] memberlist: discarding stream with unacceptable label \"x\": from=1.2.3.4:%d", port)
	}
	for port := range 10 {
		say(port)
	}
	if n := log.count("discarding"); n != 1 {
		t.Errorf("%d lines in one minute", n)
	}
	now = now.Add(repeatWindow)
	say(0)
	if n := log.count("discarding"); n != 2 {
		t.Errorf("%d lines after a minute", n)
	}
	if n := w.rejected.Load(); n != 11 {
		t.Errorf("%d counted: quiet lines count too", n)
	}
}

func TestR10_TheLogRemembersLinesUpToABound(t *testing.T) {
	w := newLogWriter(slog.New(slog.DiscardHandler))
	for i := range 3 * maxRepeats {
		_, _ = fmt.Fprintf(w, "[ERR] memberlist: discarding stream with unacceptable label \"%d\": from=x", i)
	}
	if n := len(w.mu.seen); n > maxRepeats {
		t.Errorf("%d lines are remembered", n)
	}
}

func TestLog_IsQuietWhenClosing(t *testing.T) {
	log := &recorder{}
	w := newLogWriter(log.logger(slog.LevelInfo))
	w.quiet.Store(true)
	_, _ = w.Write([]byte("[ERR] memberlist: Error accepting TCP connection: closed"))
	if s := log.String(); s != "" {
		t.Error(s)
	}
}
