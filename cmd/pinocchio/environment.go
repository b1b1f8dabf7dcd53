package main

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// variablePrefix begins the names of all our variables.
const variablePrefix = "PINOCCHIO_"

// serviceLink matches what Kubernetes sets in each container for a service whose name begins with pinocchio, such as
// PINOCCHIO_SERVICE_HOST or PINOCCHIO_PORT_3333_TCP_ADDR; they are no settings, and nobody's mistake.
var serviceLink = regexp.MustCompile(`^PINOCCHIO(_.+)?_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// unknownVariables returns the names in an environment ("NAME=value") that look like settings and are none of any command,
// sorted: misspelt ones, or those of another release.
func unknownVariables(environment []string, app *kong.Application) (names []string) {
	known := map[string]bool{secretVariable: true}
	for _, command := range app.Leaves(false) {
		for _, flag := range command.Flags {
			for _, name := range flag.Envs {
				known[name] = true
			}
		}
	}
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, variablePrefix) && !known[name] && !serviceLink.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// warnOfVariables logs those. They do not end a start: an environment is shared with wrappers, and with other releases.
func warnOfVariables(environment []string, app *kong.Application, log *slog.Logger) {
	for _, name := range unknownVariables(environment, app) {
		log.Warn("an environment variable is no setting, and is ignored: is it misspelt? pinocchio serve --help lists them", "variable", name)
	}
}
