package main

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
)

// The hard limits of house.md. Tests may have long functions: a table is one.
const (
	maxFile      = 500
	maxPackage   = 2000
	maxFunction  = 80
	maxInterface = 5
)

func checkSizes(p *pkg) (out []finding) {
	if slices.Contains([]string{"types", "models", "model", "common", "utils", "util", "helpers", "helper", "misc"}, path.Base(p.Dir)) {
		out = append(out, finding{Rule: "name", File: p.Dir, Name: p.Name, Text: "a package is a noun of our language; this name says nothing"})
	}
	total := 0
	for _, f := range p.Files {
		if f.Generated {
			continue
		}
		if f.Lines > maxFile {
			out = append(out, finding{Rule: "file-size", File: f.Path, Text: fmt.Sprintf("%d lines; %d are the most", f.Lines, maxFile)})
		}
		if f.Test {
			continue
		}
		total += f.Lines
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := f.line(n.End()) - f.line(n.Pos()) + 1; lines > maxFunction {
					out = append(out, finding{Rule: "function-size", File: f.Path, Line: f.line(n.Pos()), Name: n.Name.Name, Text: fmt.Sprintf("%s has %d lines; %d are the most", n.Name.Name, lines, maxFunction)})
				}
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok && methods(i) > maxInterface {
					out = append(out, finding{Rule: "interface-size", File: f.Path, Line: f.line(n.Pos()), Name: n.Name.Name, Text: fmt.Sprintf("%s has %d methods; %d are the most", n.Name.Name, methods(i), maxInterface)})
				}
			}
			return true
		})
	}
	if total > maxPackage {
		out = append(out, finding{Rule: "package-size", File: p.Dir, Name: p.Name, Text: fmt.Sprintf("%d production lines; %d are the most", total, maxPackage)})
	}
	return out
}

func methods(i *ast.InterfaceType) (n int) {
	for _, m := range i.Methods.List {
		n += max(1, len(m.Names))
	}
	return n
}
