package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/pinocchio-nose/pinocchio/internal/access"
)

// tokenCmd makes an access token.
type tokenCmd struct {
	Name   string   `arg:"" help:"Whose it is: one word. It stands in the file, and all tokens of a name share one rate limit."`
	Scopes []string `default:"read,write" sep:"," help:"What it may do: read, write, admin."`
	Prefix []string `sep:"none" help:"Beginning of the keys that it is for (repeatable). Default: all keys." placeholder:"TEXT"`
	File   string   `help:"Append the line to this file (made if need be) and print only the token." placeholder:"FILE"`
}

// Run prints the token and, unless it goes into a file, the line.
func (c *tokenCmd) Run(std streams) error {
	scopes, err := access.ParseScopes(strings.Join(c.Scopes, ","))
	if err != nil {
		return fmt.Errorf("--scopes: %w", err)
	}
	token, line, err := access.NewToken(c.Name, scopes, c.Prefix)
	if err != nil {
		return err
	}
	if c.File == "" {
		_, err = fmt.Fprintf(std.out, "token: %s\nline:  %s\n", token, line)
		return err
	}
	if err := appendLine(c.File, line); err != nil {
		return fmt.Errorf("add to --file: %w", err)
	}
	_, err = fmt.Fprintln(std.out, token)
	return err
}

// appendLine adds a line in one write, and ends the last one first if nobody has.
func appendLine(path, line string) error {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
