// Command newthing begins a filter, a sink or a page of the console: its files, a test that fails until
// it says what the thing does, its line in the list that gives it its place, and a changelog entry.
//
//	go run ./scripts/newthing filter geoip protect
//	go run ./scripts/newthing sink nats
//	go run ./scripts/newthing page Reports
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	root, err := findRoot()
	if err == nil {
		err = run(root, os.Args[1:], func(line string) { fmt.Println(line) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "newthing:", err)
		os.Exit(1)
	}
}

func run(root string, args []string, say func(string)) error {
	kinds := map[string]func(string, []string) (*thing, error){"filter": newFilter, "sink": newSink, "page": newPage}
	if len(args) == 0 || kinds[args[0]] == nil {
		return fmt.Errorf("say which thing: filter NAME STAGE, sink NAME, or page NAME")
	}
	t, err := kinds[args[0]](root, args[1:])
	if err != nil {
		return err
	}
	return t.create(root, say)
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
			return "", fmt.Errorf("no go.work here or above")
		}
		dir = parent
	}
}

// thing is what is created: files, all or none of them, and a line in a list.
type thing struct {
	files map[string]string // path below the root -> template
	data  map[string]string // what templates may name
	list  string            // the file that the line goes into
	enter func(text string) (string, error)
	hint  string // the line to write by hand when the list has no place for it yet
	next  []string
}

// create writes the files and the line. It changes nothing when a file exists already.
func (t *thing) create(root string, say func(string)) error {
	written := map[string][]byte{}
	for name, template := range t.files {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			return fmt.Errorf("%s exists already", name)
		}
		text, err := render(template, t.data)
		if err != nil {
			return err
		}
		written[name] = text
	}
	list, err := os.ReadFile(filepath.Join(root, t.list))
	entered := ""
	if err == nil {
		entered, err = t.enter(string(list))
	}
	if err != nil {
		t.next = append([]string{fmt.Sprintf("enter it into %s by hand (%v): %s", t.list, err, t.hint)}, t.next...)
	} else {
		written[t.list] = []byte(entered)
	}
	for name, text := range written {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		say("wrote " + name)
	}
	say("next: " + strings.Join(t.next, "; "))
	return nil
}
