package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// violation is one broken rule at one place.
type violation struct {
	file string // slash-separated, relative to the module's top folder
	line int
	what string
	why  string
}

// String returns "file:line: what: why".
func (v violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.file, v.line, v.what, v.why)
}

// source is one parsed file and where it stands.
type source struct {
	name string // as in violation.file
	dir  string // its folder
	test bool   // a _test.go file
	room room
	set  *token.FileSet
	tree *ast.File
}

// check reads every Go file of the module in fsys and returns the violations in the order of the files. Folders
// that the go command ignores (testdata, a leading "." or "_") and modules of their own are left out.
func check(fsys fs.FS, r rules) ([]violation, error) {
	module, err := modulePath(fsys)
	if err != nil {
		return nil, err
	}
	var found []violation
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name != "." && ignored(fsys, name) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go") || ignoredName(d.Name()):
			return nil
		}
		vs, err := checkFile(fsys, module, name, r)
		found = append(found, vs...)
		return err
	})
	return found, err
}

// modulePath returns the module's path from go.mod.
func modulePath(fsys fs.FS) (string, error) {
	text, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return "", fmt.Errorf("not the top folder of a module: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "module" {
			return strings.Trim(f[1], `"`), nil
		}
	}
	return "", fmt.Errorf("go.mod names no module")
}

// ignored says whether the go command would not look into the folder as a part of this module.
func ignored(fsys fs.FS, dir string) bool {
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return true
	}
	base := path.Base(dir)
	return ignoredName(base) || base == "testdata" || base == "vendor"
}

// ignoredName says whether the go command skips a file or folder for the first letter of its name.
func ignoredName(base string) bool { return base[0] == '.' || base[0] == '_' }

// checkFile returns the violations of one file.
func checkFile(fsys fs.FS, module, name string, r rules) ([]violation, error) {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := source{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), set: set, tree: tree}
	var known bool
	if s.room, known = r.roomOf(s.dir); !known {
		return []violation{s.at(tree.Package, "package "+tree.Name.Name+" has no rule",
			"decide what it may know and add it to scripts/arrows/rules.go")}, nil
	}

	var found []violation
	for _, imp := range tree.Imports {
		target, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, imp.Path.Value, err)
		}
		if why := s.forbids(module, target, r); why != "" {
			found = append(found, s.at(imp.Pos(), s.dir+" imports "+target, why))
		}
	}
	if s.room.core && !s.test {
		found = append(found, s.steps(r)...)
	}
	return found, nil
}

// at returns a violation at a position of the file.
func (s source) at(pos token.Pos, what, why string) violation {
	return violation{file: s.name, line: s.set.Position(pos).Line, what: what, why: why}
}

// forbids returns why the file must not import target, or "" when it may.
func (s source) forbids(module, target string, r rules) string {
	if target == module || below(target, module) {
		return s.forbidsRoom(strings.TrimPrefix(strings.TrimPrefix(target, module), "/"), r)
	}
	for _, l := range r.libraries {
		if below(target, l.prefix) && !s.mayUse(l) {
			return fmt.Sprintf("%s (allowed in %s)", l.why, strings.Join(l.rooms, ", "))
		}
	}
	if s.room.core && !s.test {
		for _, o := range r.outsides {
			if below(target, o.prefix) {
				return o.why
			}
		}
	}
	return ""
}

// mayUse says whether the file may import a library that has rooms of its own.
func (s source) mayUse(l library) bool {
	return slices.Contains(l.rooms, s.room.dir) || l.inTests && (s.test || s.room.forTests)
}

// forbidsRoom is forbids for a package of this module, named by its folder.
func (s source) forbidsRoom(dir string, r rules) string {
	target, known := r.roomOf(dir)
	mine := s.room
	switch {
	case !known:
		return "it has no rule in scripts/arrows/rules.go"
	case target.dir == mine.dir, target.dir == internalRoom, slices.Contains(mine.uses, target.dir):
		return ""
	case target.forTests:
		if s.test || mine.forTests {
			return ""
		}
		return "it serves tests, and this is no test"
	case target.floor == floorPrograms:
		return mine.why
	case s.test && target.floor <= mine.floor, slices.Contains(mine.uses, "*") && target.floor < mine.floor:
		return ""
	}
	return s.room.why
}

// steps returns where a core file leaves the caller's thread or asks a clock.
func (s source) steps(r rules) []violation {
	clock := s.nameOf("time")
	var found []violation
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, s.at(n.Pos(), "go statement", "the core starts no goroutine: a test must be able to step it"))
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && clock != "" && x.Name == clock && slices.Contains(r.clock, n.Sel.Name) {
				found = append(found, s.at(n.Pos(), "time."+n.Sel.Name, "the core has no clock: its caller says what happens when"))
			}
		}
		return true
	})
	return found
}

// nameOf returns the name under which the file knows a package of the standard library, "" when it does not.
func (s source) nameOf(target string) string {
	for _, imp := range s.tree.Imports {
		switch {
		case imp.Path.Value != strconv.Quote(target):
		case imp.Name != nil:
			return imp.Name.Name
		default:
			return path.Base(target)
		}
	}
	return ""
}
