package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd prints a script that completes commands and flags in a shell.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish. For example: source <(pinocchio completion bash)."`
}

// Run prints the script, made from the command line that this program has.
func (c *completionCmd) Run(std streams) error {
	parser, err := newParser(std, func(int) {})
	if err != nil {
		return err
	}
	words := completions(parser.Model.Node)
	if c.Shell == "fish" {
		return writeFish(std.out, words)
	}
	return writeBash(std.out, words, c.Shell == "zsh")
}

// completion is what may follow a command: further words, and flags.
type completion struct {
	path  string // of the command, such as "bench strategies"; empty: the program itself
	words []string
}

// completions walks the commands, the program itself first.
func completions(n *kong.Node) (list []completion) {
	c := completion{words: []string{"--help"}}
	for at := n; at != nil && at.Type != kong.ApplicationNode; at = at.Parent {
		c.path = strings.TrimSpace(at.Name + " " + c.path)
	}
	for _, flag := range n.Flags {
		if name := "--" + flag.Name; !slices.Contains(c.words, name) {
			c.words = append(c.words, name)
		}
	}
	for _, child := range n.Children {
		c.words = append(c.words, child.Name)
	}
	if n.DefaultCmd != nil {
		for _, flag := range n.DefaultCmd.Flags {
			c.words = append(c.words, "--"+flag.Name)
		}
	}
	for _, p := range n.Positional {
		if p.Enum != "" {
			c.words = append(c.words, p.EnumSlice()...)
		}
	}
	list = append(list, c)
	for _, child := range n.Children {
		list = append(list, completions(child)...)
	}
	return list
}

// writeBash writes for bash, and for zsh, which reads the same.
func writeBash(w io.Writer, list []completion, zsh bool) error {
	var b strings.Builder
	if zsh {
		b.WriteString("#compdef pinocchio\nautoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString("_pinocchio() {\n\tlocal path= word words=\n")
	b.WriteString("\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\tcase \"$path $word\" in\n")
	for _, c := range list[1:] {
		parent, name := "", c.path
		if i := strings.LastIndexByte(c.path, ' '); i >= 0 {
			parent, name = c.path[:i], c.path[i+1:]
		}
		fmt.Fprintf(&b, "\t\t%q) path=%q ;;\n", parent+" "+name, c.path)
	}
	b.WriteString("\t\tesac\n\tdone\n\tcase \"$path\" in\n")
	for _, c := range list {
		fmt.Fprintf(&b, "\t%q) words=%q ;;\n", c.path, strings.Join(c.words, " "))
	}
	b.WriteString("\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -o default -F _pinocchio pinocchio\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeFish writes for fish.
func writeFish(w io.Writer, list []completion) error {
	var b strings.Builder
	for _, c := range list {
		condition := "__fish_use_subcommand"
		if c.path != "" {
			condition = "__fish_seen_subcommand_from " + c.path[strings.LastIndexByte(c.path, ' ')+1:]
		}
		for _, word := range c.words {
			if flag, ok := strings.CutPrefix(word, "--"); ok {
				fmt.Fprintf(&b, "complete -c pinocchio -n %q -l %s\n", condition, flag)
			} else {
				fmt.Fprintf(&b, "complete -c pinocchio -n %q -f -a %s\n", condition, word)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
