package main

import (
	"go/ast"
	"go/token"
)

// checkComments wants a comment on every package and on every exported identifier of a package that
// others can import.
func checkComments(p *pkg) (out []finding) {
	files := p.production()
	if len(files) == 0 {
		return nil
	}
	commented := false
	for _, f := range p.Files {
		commented = commented || (!f.Test && f.AST.Doc != nil)
	}
	if !commented {
		out = append(out, finding{Rule: "package-comment", File: p.Dir, Name: p.Name, Text: "the package has no comment that says what it is"})
	}
	if p.main() {
		return out
	}
	for _, f := range files {
		for _, decl := range f.AST.Decls {
			for _, id := range undocumented(decl) {
				out = append(out, finding{Rule: "comment", File: f.Path, Line: f.line(id.Pos()), Name: id.Name, Text: "exported " + id.Name + " has no comment"})
			}
		}
	}
	return out
}

// undocumented lists the exported names of a declaration that carry no comment, neither of their own
// nor of the group they stand in.
func undocumented(decl ast.Decl) (out []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			out = append(out, d.Name)
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || d.Doc != nil {
			return nil
		}
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
					out = append(out, s.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if s.Doc == nil && s.Comment == nil && name.IsExported() {
						out = append(out, name)
					}
				}
			}
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
