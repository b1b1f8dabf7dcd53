package gossip

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// repeatWindow is how long the same line stays quiet after it was logged. What a stranger sends, or what a probe
// tries each second, must not fill the log.
const repeatWindow = time.Minute

// maxRepeats bounds the lines that are remembered (R10): part of them is text that strangers choose.
const maxRepeats = 64

// noise lists what memberlist calls a warning or an error, and what is ordinary here: each has its own outcome that is
// logged (a member is gone, a join failed), or none.
var noise = []string{
	"Failed to send UDP ping", "Failed to send UDP compound ping", "Failed to send indirect UDP ping",
	"Failed fallback TCP ping", "Failed to send gossip", "Failed to send ack", "Failed to send nack",
	"Failed to forward ack", "Failed to send error", "Push/Pull with", // the member is silent: suspicion follows
	"Got ping for unexpected node", // a restarted node has a new ID at the old address
	"ignoring alive message for", "Failed push/pull merge",
	"Failed to push local state", "Failed to read remote state", // refused nodes, logged once by roster
	"failed to receive", // a port scan or a health check; strangers are told apart first
}

// strange lists the beginnings of what memberlist says when it drops a message for its label or its key (R13). Packets first.
var strange = []string{
	"discarding packet with unacceptable label", "discarding stream with unacceptable label", "Decrypt packet failed",
	"failed to receive: no installed keys could decrypt the message",
	"failed to receive: encryption is configured but remote state is not encrypted",
	"failed to receive: remote state is encrypted and encryption is not configured",
}

// logWriter takes memberlist's lines, one for each Write, and hands them to slog with a level of this package's choice.
type logWriter struct {
	log      *slog.Logger
	now      func() time.Time
	quiet    atomic.Bool   // closing: what breaks now was meant to
	rejected atomic.Uint64 // messages dropped for a foreign label or key

	mu struct {
		sync.Mutex
		seen map[string]time.Time
	}
}

func newLogWriter(log *slog.Logger) *logWriter {
	w := &logWriter{log: log, now: time.Now}
	w.mu.seen = make(map[string]time.Time)
	return w
}

// Write implements io.Writer for a log.Logger without flags. It never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	level, text := parseLine(string(line))
	switch {
	case hasAnyPrefix(text, strange):
		w.rejected.Add(1)
		level = slog.LevelWarn
	case hasAnyPrefix(text, noise):
		level = slog.LevelDebug
	}
	if level > slog.LevelDebug && (w.quiet.Load() || w.repeated(text)) {
		level = slog.LevelDebug
	}
	w.log.Log(context.Background(), level, text, "library", "memberlist")
	return len(line), nil
}

// repeated tells whether the same was logged within the window, from whomever it came.
func (w *logWriter) repeated(text string) bool {
	what, _, _ := strings.Cut(text, " from=")
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.mu.seen[what]; ok && now.Sub(last) < repeatWindow {
		return true
	}
	if len(w.mu.seen) >= maxRepeats {
		clear(w.mu.seen)
	}
	w.mu.seen[what] = now
	return false
}

// parseLine splits "[WARN] memberlist: text" into its level and its text. A line of another form is a warning.
func parseLine(line string) (slog.Level, string) {
	line = strings.TrimRight(line, "\n")
	level := slog.LevelWarn
	if rest, ok := strings.CutPrefix(line, "["); ok {
		if name, text, ok := strings.Cut(rest, "] "); ok {
			line = text
			switch name {
			case "DEBUG":
				level = slog.LevelDebug
			case "INFO":
				level = slog.LevelInfo
			case "ERR", "ERROR":
				level = slog.LevelError
			}
		}
	}
	return level, strings.TrimPrefix(line, "memberlist: ")
}

func hasAnyPrefix(text string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
