package expo

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Lint reads a metrics page and returns what is wrong with it, one sentence each: samples without a HELP and TYPE line
// before them, families written twice, descriptions that are missing, values that are no numbers, samples repeated. It
// is for tests and for the check of a running node.
func Lint(r io.Reader) []string {
	l := linter{kinds: map[string]Type{}, helped: map[string]bool{}, seen: map[string]bool{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		l.line(lines.Text())
	}
	if err := lines.Err(); err != nil {
		l.say("the page cannot be read: %v", err)
	}
	return l.faults
}

type linter struct {
	kinds   map[string]Type // families whose TYPE line has been read
	helped  map[string]bool // families whose HELP line has been read
	seen    map[string]bool // samples, with their labels
	current string          // the family whose block is being read
	faults  []string
}

func (l *linter) say(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

func (l *linter) line(text string) {
	switch {
	case text == "":
	case strings.HasPrefix(text, "# HELP "):
		name, help, _ := strings.Cut(strings.TrimPrefix(text, "# HELP "), " ")
		if help == "" || help == undescribed {
			l.say("%s has no description", name)
		}
		if l.helped[name] {
			l.say("%s is written twice", name)
		}
		l.helped[name] = true
	case strings.HasPrefix(text, "# TYPE "):
		name, kind, _ := strings.Cut(strings.TrimPrefix(text, "# TYPE "), " ")
		l.kinds[name], l.current = Type(kind), name
	case strings.HasPrefix(text, "#"):
	default:
		l.sample(text)
	}
}

func (l *linter) sample(text string) {
	cut := strings.LastIndexByte(text, ' ')
	if cut < 0 {
		l.say("%q has no value", text)
		return
	}
	if _, err := strconv.ParseFloat(text[cut+1:], 64); err != nil {
		l.say("%q has a value that is no number", text)
	}
	if l.seen[text[:cut]] {
		l.say("%q is repeated", text[:cut])
	}
	l.seen[text[:cut]] = true
	family := familyOf(sampleName([]byte(text)), l.kinds)
	if !l.helped[family] || l.kinds[family] == "" {
		l.say("%q stands without HELP and TYPE", text)
	} else if family != l.current {
		l.say("%q does not stand with its family", text)
	}
}
