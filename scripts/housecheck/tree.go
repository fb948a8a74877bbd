package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// tree is what the rules look at: every package of every module, parsed and not type-checked.
type tree struct {
	prefix   string // what the import paths of our packages begin with, with a slash at the end
	packages []*pkg
	broken   []finding // files that do not parse
}

// pkg is one folder of Go files.
type pkg struct {
	Dir   string // below the root, such as gateway/filter/cors
	Name  string
	Files []*file
}

type file struct {
	Path      string
	Test      bool // _test.go
	Generated bool
	Lines     int
	AST       *ast.File
	fset      *token.FileSet
}

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// main says whether the package is a program, which may do what cmd may do.
func (p *pkg) main() bool { return p.Name == "main" }

// testing says whether the package serves tests only (R8): a contract suite or the test environment.
func (p *pkg) testing() bool { return servesTests(p.Dir) }

func servesTests(dir string) bool {
	base := path.Base(dir)
	return base == "testenv" || (strings.HasSuffix(base, "test") && base != "test") || strings.HasPrefix(dir, "deploy/e2e")
}

// production are the files that rules about shipped code apply to.
func (p *pkg) production() []*file {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f *file) bool { return f.Test || f.Generated })
}

func load(root fs.FS, tracked []string) (*tree, error) {
	modules, prefix, err := modules(root)
	if err != nil {
		return nil, err
	}
	t := &tree{prefix: prefix}
	byDir := map[string]*pkg{}
	for _, name := range tracked {
		dir := path.Dir(name)
		if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") || !inModule(modules, dir) {
			continue
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		f := &file{Path: name, Test: strings.HasSuffix(name, "_test.go"), Lines: strings.Count(string(text), "\n"), fset: token.NewFileSet()}
		f.AST, err = parser.ParseFile(f.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.broken = append(t.broken, finding{Rule: "syntax", File: name, Text: err.Error()})
			continue
		}
		f.Generated = ast.IsGenerated(f.AST)
		p := byDir[dir]
		if p == nil {
			p = &pkg{Dir: dir}
			byDir[dir] = p
			t.packages = append(t.packages, p)
		}
		p.Files = append(p.Files, f)
		if !f.Test || p.Name == "" {
			p.Name = strings.TrimSuffix(f.AST.Name.Name, "_test")
		}
	}
	return t, nil
}

func inModule(modules []string, dir string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return dir == m || strings.HasPrefix(dir, m+"/") })
}

// modules reads the folders that go.work uses and the prefix that their module paths share: a module
// path is the prefix and the folder.
func modules(root fs.FS) (dirs []string, prefix string, err error) {
	work, err := fs.ReadFile(root, "go.work")
	if err != nil {
		return nil, "", err
	}
	for line := range strings.Lines(string(work)) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "use ")), "./"); ok {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		mod, err := fs.ReadFile(root, dir+"/go.mod")
		if err != nil {
			return nil, "", err
		}
		first, _, _ := strings.Cut(string(mod), "\n")
		own, ok := strings.CutSuffix(strings.TrimSpace(strings.TrimPrefix(first, "module ")), dir)
		if !ok || (prefix != "" && own != prefix) {
			return nil, "", fmt.Errorf("%s/go.mod: the module path must be one prefix and %q", dir, dir)
		}
		prefix = own
	}
	return dirs, prefix, nil
}
