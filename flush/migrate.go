package flush

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// migration is one step of a schema: its file is NNNN_name.sql, its version NNNN. A released file never changes.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations returns a dialect's steps in order. Versions are 1, 2, 3, ... without gaps.
func migrations(dialect string) ([]migration, error) {
	names, err := fs.Glob(migrationFiles, path.Join("migrations", dialect, "*.sql"))
	if err != nil {
		return nil, err
	}
	var steps []migration
	for i, name := range names { // Glob returns them sorted
		number, rest, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s should have number %04d", name, i+1)
		}
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, migration{version, strings.TrimSuffix(rest, ".sql"), string(text)})
	}
	return steps, nil
}

// missing returns the steps after version have, and a *SchemaError when the store is newer than all of them.
func missing(steps []migration, have int) ([]migration, error) {
	if have > len(steps) {
		return nil, &SchemaError{Have: have, Known: len(steps)}
	}
	return steps[have:], nil
}

// exactly returns a *SchemaError unless the store has all steps and no more.
func exactly(steps []migration, have int) error {
	if have != len(steps) {
		return &SchemaError{Have: have, Known: len(steps)}
	}
	return nil
}
