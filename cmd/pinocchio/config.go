package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// configCmd prints what serve would run with.
type configCmd struct{ serveCmd }

// Run prints the settings as YAML that --config takes again, with a comment that says where each comes from, and fails
// when serve would refuse them. What is secret is not shown.
func (c *configCmd) Run(std streams, command *kong.Context, file *settingsFile) error {
	for _, flag := range command.Selected().Flags {
		if err := writeSetting(std.out, flag, sourceOf(flag, command, file)); err != nil {
			return err
		}
	}
	if os.Getenv(secretVariable) != "" {
		_, _ = fmt.Fprintf(std.out, "# The cluster's secret (hidden) comes from the environment %s.\n", secretVariable)
	}
	for _, name := range unknownVariables(os.Environ(), command.Model) {
		_, _ = fmt.Fprintf(std.out, "# %s in the environment is no setting, and is ignored.\n", name)
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("serve would not start with these settings: %w", err)
	}
	return nil
}

// sourceOf says in words where a flag's value comes from.
func sourceOf(flag *kong.Flag, command *kong.Context, file *settingsFile) string {
	given := func(p *kong.Path) bool { return p.Flag == flag && !p.Resolved }
	_, inFile := file.values[flag.Name]
	switch variable := fromEnvironment(flag); {
	case slices.ContainsFunc(command.Path, given):
		return "flag"
	case variable != "":
		return "environment " + variable
	case inFile:
		return "file " + file.path
	}
	return "default"
}

// writeSetting writes one line, "flush-interval: 1s  # default".
func writeSetting(w io.Writer, flag *kong.Flag, source string) error {
	value, hidden := flag.Target.Interface(), ""
	text := fmt.Sprint(value)
	switch v := value.(type) {
	case string:
		if text = v; secretName(flag.Name) || flag.Name == "store" {
			text, hidden = masked(flag.Name, v)
		}
		text = fmt.Sprintf("%q", text)
	case []string:
		text = "[]"
		if len(v) > 0 {
			text = `["` + strings.Join(v, `", "`) + `"]`
		}
	case time.Duration:
		text = v.String()
	}
	mark := ""
	if flag.Name == configFlag || value == "" && source == "default" {
		mark = "# " // the file cannot name itself; no value at all is not the same as an empty one
	}
	_, err := fmt.Fprintf(w, "%s%s: %s  # %s%s\n", mark, flag.Name, text, source, hidden)
	return err
}

// secretName tells whether a flag holds a secret itself, not the name of a file with one.
func secretName(name string) bool {
	return strings.HasSuffix(name, "secret") || strings.HasSuffix(name, "token") || strings.HasSuffix(name, "password")
}

// masked returns a value without what is secret in it, and a remark when something was.
func masked(name, value string) (shown, remark string) {
	if name == "store" && storeFault(value) == nil {
		shown = redacted(value)
	}
	if value == "" || shown == value {
		return value, ""
	}
	return shown, ", password hidden"
}
