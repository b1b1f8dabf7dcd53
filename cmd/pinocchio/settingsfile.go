package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// configFlag names the file whose settings are used where neither a flag nor the environment says otherwise.
const configFlag = "config"

// settingsFile gives flags their values from a YAML file: {flush-interval: 500ms, join: [a:7946, b:7946]}. It is one
// parser's own, and is read when the first flag asks.
type settingsFile struct {
	path   string
	values map[string]string // by the name of the flag; a list is joined with commas
	err    error             // of reading
	flags  []*kong.Flag      // of the command that was chosen
}

// Resolve implements kong.Resolver. The environment comes before the file, and a flag before both.
func (s *settingsFile) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if !slices.Contains(s.flags, flag) {
		s.load(ctx, parent.Flags)
	}
	value, ok := s.values[flag.Name]
	if fromEnvironment(flag) != "" || !ok {
		return nil, nil
	}
	return value, nil
}

// load reads the file that the command line or the environment names, for a command with these flags.
func (s *settingsFile) load(ctx *kong.Context, flags []*kong.Flag) {
	s.flags = flags
	at := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == configFlag })
	if at < 0 {
		return
	}
	s.path, _ = ctx.FlagValue(flags[at]).(string)
	if s.path != "" {
		s.values, s.err = readSettings(s.path)
	}
}

// Validate implements kong.Resolver: the file can be read, and all that stands in it is a setting of the command.
func (s *settingsFile) Validate(*kong.Application) error {
	faults := []error{s.err}
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		known := slices.ContainsFunc(s.flags, func(f *kong.Flag) bool { return f.Name == name })
		if !known || name == configFlag || name == "help" {
			faults = append(faults, fmt.Errorf("%s: %q is no setting: they are named as the flags are, without --", s.path, name))
		}
	}
	return errors.Join(faults...)
}

// readSettings reads a YAML file that holds one mapping of names to values and lists of values.
func readSettings(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		return nil, fmt.Errorf("--config %s must be a YAML mapping such as \"flush-interval: 1s\": %w", path, err)
	}
	values := make(map[string]string, len(nodes))
	var faults []error
	for name, n := range nodes {
		value, ok := valueOf(n)
		if !ok {
			faults = append(faults, fmt.Errorf("%s:%d: %s must be a value or a list of values", path, n.Line, name))
			continue
		}
		values[name] = value
	}
	return values, errors.Join(faults...)
}

// valueOf returns a value as a flag would have it.
func valueOf(n yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value, n.Tag != "!!null"
	case yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || strings.Contains(item.Value, ",") {
				return "", false
			}
			all = append(all, item.Value)
		}
		return strings.Join(all, ","), true
	}
	return "", false
}

// fromEnvironment returns the variable that gives a flag its value, "" when none does.
func fromEnvironment(flag *kong.Flag) string {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return name
		}
	}
	return ""
}
