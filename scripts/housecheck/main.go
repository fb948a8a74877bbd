// Command housecheck refuses what the house rules refuse: imports against the dependency rule (R1 to
// R9), files, packages, functions and interfaces that are too large, package names that say nothing,
// init functions and package variables, missing comments, and paths of a machine or hosts of package
// registries in tracked files.
//
//	go run ./scripts/housecheck [-root DIR]
//
// It prints one line per finding and ends with 1 if there are any. What is allowed all the same stands
// in exemptions.txt, one line each: the rule, the place, the reason.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := flag.String("root", "", "folder that holds go.work; default: the nearest one upward")
	flag.Parse()
	findings, err := run(*root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "housecheck:", err)
		os.Exit(2)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		fmt.Fprintf(os.Stderr, "housecheck: %d findings; mend them, or add a line with a reason to scripts/housecheck/exemptions.txt\n", len(findings))
		os.Exit(1)
	}
}

func run(root string) ([]finding, error) {
	if root == "" {
		var err error
		if root, err = findRoot(); err != nil {
			return nil, err
		}
	}
	tracked, err := trackedFiles(root)
	if err != nil {
		return nil, err
	}
	exempt, err := os.ReadFile(filepath.Join(root, "scripts", "housecheck", "exemptions.txt"))
	if err != nil {
		return nil, err
	}
	return check(os.DirFS(root), tracked, string(exempt))
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.work here or above; use -root")
		}
		dir = parent
	}
}

// trackedFiles are the files that a commit of everything would hold: tracked ones and new ones that
// git does not ignore, without those that are deleted.
func trackedFiles(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tracked files with git: %w", err)
	}
	var files []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		if info, err := os.Lstat(filepath.Join(root, name)); name != "" && err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
