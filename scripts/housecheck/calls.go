package main

import (
	"go/ast"
	"path"
	"strconv"
	"strings"
)

// checkCalls is R9 and the part of R4 about constructors: calls that only some places may make.
func checkCalls(t *tree, p *pkg) (out []finding) {
	for _, f := range p.Files {
		if f.Generated {
			continue
		}
		names := importNames(f)
		ast.Inspect(f.AST, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok || names[x.Name] == "" {
				return true
			}
			if rule, text := refuseCall(t, p, f, names[x.Name], sel.Sel.Name); rule != "" {
				out = append(out, finding{Rule: rule, File: f.Path, Line: f.line(sel.Pos()), Name: x.Name + "." + sel.Sel.Name, Text: text})
			}
			return true
		})
	}
	return out
}

// importNames maps the name that a file uses for a package to its import path.
func importNames(f *file) map[string]string {
	names := map[string]string{}
	for _, spec := range f.AST.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		local := path.Base(name)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		names[local] = name
	}
	return names
}

func refuseCall(t *tree, p *pkg, f *file, from, name string) (rule, text string) {
	inApp := strings.HasSuffix(p.Dir, "/app")
	test := f.Test || p.testing()
	switch from + "." + name {
	case "context.Background", "context.TODO":
		if !p.main() && !inApp && !test {
			return "R9", "context." + name + " outside cmd, app and tests: take the caller's context"
		}
	case "log.Fatal", "log.Fatalf", "log.Fatalln", "os.Exit":
		if !p.main() && !f.Test {
			return "R9", from + "." + name + " outside cmd: return an error"
		}
	case "time.Sleep":
		if test && f.Path != "pkg/testenv/wait.go" {
			return "R9", "time.Sleep in a test: wait for the condition with testenv.Eventually, or use testing/synctest"
		}
	}
	ours, own := strings.CutPrefix(from, t.prefix)
	if own && openers()[ours] == name && !p.main() && !inApp && !test && p.Dir != ours && !under(p.Dir, openersWithin()...) {
		return "R4", ours + "." + name + " opens connections or files: app calls it and hands the result on"
	}
	return "", ""
}
