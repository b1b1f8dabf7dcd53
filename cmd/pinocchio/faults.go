package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// checker is a command that can say all that is wrong with its settings before it runs.
type checker interface{ check() error }

// everyFault adds to the parser's error, which is about the first fault alone, the faults of all the other settings of the
// command, wherever they come from.
func everyFault(first error, args []string, file *settingsFile) error {
	var parse *kong.ParseError
	if !errors.As(first, &parse) || parse.Context == nil || parse.Context.Selected() == nil {
		return first
	}
	command := parse.Context.Selected()
	if command.DefaultCmd != nil {
		command = command.DefaultCmd
	}
	if file.flags == nil && !strings.Contains(first.Error(), "--"+configFlag) { // the parser did not come so far
		file.load(parse.Context, command.Flags)
		if path, ok := argument(args, configFlag, false); ok && file.path == "" {
			file.path = path
			file.values, file.err = readSettings(path)
		}
	}
	faults := []error{first}
	for _, flag := range command.Flags {
		fault := settle(flag, args, file)
		if fault != nil && !strings.Contains(first.Error(), "--"+flag.Name) {
			faults = append(faults, fault)
		}
	}
	if fault := file.Validate(nil); fault != nil && !strings.Contains(first.Error(), fault.Error()) {
		faults = append(faults, fault)
	}
	// What has a fault stands at its default now, so that only the others are judged.
	if c, ok := command.Target.Addr().Interface().(checker); ok {
		faults = append(faults, c.check())
		if unknown := unknownVariables(os.Environ(), parse.Context.Model); len(unknown) > 0 { // maybe what should have been there
			faults = append(faults, fmt.Errorf("no setting, and ignored: %s in the environment", strings.Join(unknown, ", ")))
		}
	}
	return errors.Join(faults...)
}

// settle gives a flag its value from the first place that has one, or its default when that value is wrong.
func settle(flag *kong.Flag, args []string, file *settingsFile) (fault error) {
	text, where, ok := "", "", false
	if text, ok = argument(args, flag.Name, flag.IsBool()); ok {
		where = "on the command line"
	} else if name := fromEnvironment(flag); name != "" {
		text, where, ok = os.Getenv(name), "in "+name, true
	} else if text, ok = file.values[flag.Name]; ok {
		where = "in " + file.path
	}
	if ok {
		err := assign(flag, text)
		if err == nil {
			return nil
		}
		fault = fmt.Errorf("--%s %s: %w", flag.Name, where, err)
	} else if flag.Required {
		fault = fmt.Errorf("missing flags: %s", flag.Summary())
	}
	if !flag.HasDefault || assign(flag, flag.Default) != nil {
		flag.Target.SetZero()
	}
	return fault
}

// assign sets a flag's target to what the text says.
func assign(flag *kong.Flag, text string) error {
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.ScanFromTokens(kong.Token{Value: text, Type: kong.FlagValueToken})
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return err
	}
	if flag.Enum != "" && !flag.EnumMap()[fmt.Sprint(target)] {
		return fmt.Errorf("must be one of %s", flag.Enum)
	}
	flag.Target.Set(target)
	return nil
}

// argument returns the value of the last --name VALUE or --name=VALUE among the arguments; a switch takes none after it.
func argument(args []string, name string, isSwitch bool) (value string, found bool) {
	for i, arg := range args {
		switch rest, ok := strings.CutPrefix(arg, "--"+name); {
		case !ok:
		case strings.HasPrefix(rest, "="):
			value, found = rest[1:], true
		case rest == "" && isSwitch:
			value, found = "true", true
		case rest == "" && i+1 < len(args):
			value, found = args[i+1], true
		}
	}
	return value, found
}
