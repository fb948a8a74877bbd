package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source reads our packages by their syntax, without a type check, when they are asked for.
type source struct {
	root     string
	modules  []string // folders below root, as go.work names them
	prefix   string   // what our import paths begin with
	packages map[string]*pkg
}

// pkg is what a folder of Go files declares.
type pkg struct {
	dir     string
	types   map[string]*typeDecl
	consts  map[string][]constant // by the name of their type, in order
	methods map[string]bool       // "Type.Method"
	files   []*ast.File
}

type typeDecl struct {
	pkg  *pkg
	name string
	expr ast.Expr
	doc  string
	file *ast.File
}

type constant struct{ name, value, doc string }

func openSource(root string) (*source, error) {
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		for root = dir; ; root = filepath.Dir(root) {
			if _, err := os.Stat(filepath.Join(root, "go.work")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				return nil, fmt.Errorf("no go.work in %s or above; use -root", dir)
			}
		}
	}
	work, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return nil, err
	}
	s := &source{root: root, packages: map[string]*pkg{}}
	for line := range strings.Lines(string(work)) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), "./"); ok {
			s.modules = append(s.modules, dir)
		}
	}
	for _, dir := range s.modules {
		mod, err := os.ReadFile(filepath.Join(root, dir, "go.mod"))
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(mod), "\n")
		s.prefix = strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(first, "module ")), dir)
	}
	return s, nil
}

// exists says whether a file or folder below the root is there.
func (s *source) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.root, name))
	return err == nil
}

// pkg parses the production files of a folder below the root.
func (s *source) pkg(dir string) (*pkg, error) {
	if p := s.packages[dir]; p != nil {
		return p, nil
	}
	entries, err := os.ReadDir(filepath.Join(s.root, dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, errAbsent)
	}
	p := &pkg{dir: dir, types: map[string]*typeDecl{}, consts: map[string][]constant{}, methods: map[string]bool{}}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(s.root, dir, e.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
		for _, d := range f.Decls {
			p.declare(f, d)
		}
	}
	if len(p.files) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, errAbsent)
	}
	s.packages[dir] = p
	return p, nil
}

func (p *pkg) declare(f *ast.File, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && len(d.Recv.List) == 1 {
			p.methods[typeName(d.Recv.List[0].Type)+"."+d.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch sp := spec.(type) {
			case *ast.TypeSpec:
				p.types[sp.Name.Name] = &typeDecl{pkg: p, name: sp.Name.Name, expr: sp.Type, doc: firstText(sp.Doc, d.Doc), file: f}
			case *ast.ValueSpec:
				if d.Tok != token.CONST || sp.Type == nil {
					continue
				}
				for i, v := range sp.Values {
					if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING && i < len(sp.Names) {
						value, _ := strconv.Unquote(lit.Value)
						name := typeName(sp.Type)
						p.consts[name] = append(p.consts[name], constant{sp.Names[i].Name, value, firstText(sp.Comment, sp.Doc)})
					}
				}
			}
		}
	}
}

// typeName is the name of a type as written, without pointers and type parameters: Code, fault.Code.
func typeName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.IndexExpr:
		return typeName(x.X)
	case *ast.IndexListExpr:
		return typeName(x.X)
	case *ast.SelectorExpr:
		return typeName(x.X) + "." + x.Sel.Name
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// resolve finds the declaration that a name in a file means: Name, or package.Name of one of our
// packages. It returns nil for a built-in type and for one that is not ours.
func (s *source) resolve(in *typeDecl, name string) (*typeDecl, error) {
	local, sel, qualified := strings.Cut(name, ".")
	if !qualified {
		return in.pkg.types[name], nil
	}
	for _, imp := range in.file.Imports {
		to, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		as := path.Base(to)
		if imp.Name != nil {
			as = imp.Name.Name
		}
		dir, ours := strings.CutPrefix(to, s.prefix)
		if as != local || !ours {
			continue
		}
		p, err := s.pkg(dir)
		if err != nil {
			return nil, err
		}
		if d := p.types[sel]; d != nil {
			return d, nil
		}
		return nil, fmt.Errorf("%s is not declared in %s", name, dir)
	}
	return nil, nil
}

// folders lists the folders below dir that hold Go files, dir included, sorted.
func (s *source) folders(dir string) (out []string) {
	_ = filepath.WalkDir(filepath.Join(s.root, dir), func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || base == "node_modules" || strings.HasPrefix(base, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			if rel, err := filepath.Rel(s.root, filepath.Dir(name)); err == nil && !slices.Contains(out, filepath.ToSlash(rel)) {
				out = append(out, filepath.ToSlash(rel))
			}
		}
		return nil
	})
	slices.Sort(out)
	return out
}

// firstText is the text of the first comment that is there, on one line per paragraph.
func firstText(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if g == nil {
			continue
		}
		var paragraphs []string
		for p := range strings.SplitSeq(strings.TrimSpace(g.Text()), "\n\n") {
			paragraphs = append(paragraphs, strings.Join(strings.Fields(p), " "))
		}
		return strings.Join(paragraphs, "\n\n")
	}
	return ""
}
