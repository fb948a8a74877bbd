package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// finding is one thing that a rule refuses.
type finding struct {
	Rule string
	File string // below the root; a folder for what a whole package does
	Line int
	Name string // function, type or variable that it is about; may be empty
	Text string
}

// String is the line that is printed, in the form that editors jump to.
func (f finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s: %s", place, f.Rule, f.Text)
}

// check applies every rule to the modules that go.work of root names and to the text of the tracked
// files, and takes away what exemptions allow. An exemption that allows nothing is a finding itself.
func check(root fs.FS, tracked []string, exemptions string) ([]finding, error) {
	tree, err := load(root, tracked)
	if err != nil {
		return nil, err
	}
	findings := slices.Clone(tree.broken)
	for _, p := range tree.packages {
		findings = append(findings, checkImports(tree, p)...)
		findings = append(findings, checkCalls(tree, p)...)
		findings = append(findings, checkSizes(p)...)
		findings = append(findings, checkDeclarations(p)...)
		findings = append(findings, checkComments(p)...)
	}
	texts, err := checkTexts(root, tracked)
	if err != nil {
		return nil, err
	}
	findings = exempt(append(findings, texts...), exemptions)
	slices.SortFunc(findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(findings), nil
}

// exempt drops the findings that a line "rule place reason" names. A place is a file, a file and a name
// (dir/file.go:Name), or a folder, which stands for the files directly in it.
func exempt(findings []finding, list string) []finding {
	used := map[string]bool{}
	var kept []finding
	allowed := map[string]string{} // "rule place" -> line
	number := 0
	for line := range strings.Lines(list) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 {
			kept = append(kept, finding{Rule: "exemption", File: "scripts/housecheck/exemptions.txt", Line: number, Text: "write: rule place reason, the reason in words"})
			continue
		}
		allowed[fields[0]+" "+fields[1]] = line
	}
	for _, f := range findings {
		hit := ""
		for _, place := range []string{f.File, f.File + ":" + f.Name, path.Dir(f.File)} {
			if _, ok := allowed[f.Rule+" "+place]; ok {
				hit = f.Rule + " " + place
			}
		}
		if hit == "" {
			kept = append(kept, f)
		}
		used[hit] = true
	}
	for key, line := range allowed {
		if !used[key] {
			kept = append(kept, finding{Rule: "exemption", File: "scripts/housecheck/exemptions.txt", Text: "nothing needs this line any more: " + line})
		}
	}
	return kept
}
