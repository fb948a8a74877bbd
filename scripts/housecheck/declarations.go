package main

import (
	"go/ast"
	"go/token"
	"strings"
)

// checkDeclarations refuses init functions and package variables, but for sentinel errors, compiled
// regular expressions, interface guards and embedded files. Packages that serve tests are tests.
func checkDeclarations(p *pkg) (out []finding) {
	if p.testing() {
		return nil
	}
	for _, f := range p.production() {
		for _, decl := range f.AST.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					out = append(out, finding{Rule: "init", File: f.Path, Line: f.line(d.Pos()), Name: "init", Text: "no init: build it in app and hand it on"})
				}
			case *ast.GenDecl:
				if d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok || embedded(d.Doc) || embedded(v.Doc) {
						continue
					}
					for i, name := range v.Names {
						if !mayBeGlobal(name.Name, v, i) {
							out = append(out, finding{Rule: "global", File: f.Path, Line: f.line(name.Pos()), Name: name.Name, Text: "package variable " + name.Name + ": only sentinel errors, compiled regular expressions, interface guards and embedded files may be one"})
						}
					}
				}
			}
		}
	}
	return out
}

func embedded(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

func mayBeGlobal(name string, v *ast.ValueSpec, i int) bool {
	if name == "_" {
		return true
	}
	if i >= len(v.Values) {
		return false
	}
	call, ok := v.Values[i].(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	isError := strings.HasPrefix(name, "Err") || strings.HasPrefix(name, "err")
	switch x.Name {
	case "regexp":
		return strings.HasPrefix(sel.Sel.Name, "MustCompile")
	case "errors", "fault":
		return isError && strings.HasPrefix(sel.Sel.Name, "New")
	case "fmt":
		return isError && sel.Sel.Name == "Errorf"
	}
	return false
}
