// Command changelog keeps the list of what users notice. Each change is a small file in
// scripts/changelog/unreleased, so that two branches never clash; its first line is
// "kind: sentence", the kind one of added, changed, fixed, removed, security.
//
//	go run ./scripts/changelog            print what the next release would say
//	go run ./scripts/changelog v0.2.0     move it to the top of CHANGELOG.md
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	dir := flag.String("dir", "scripts/changelog", "folder that holds unreleased/ and CHANGELOG.md")
	flag.Parse()
	var err error
	if flag.NArg() == 0 {
		var text string
		if text, err = preview(*dir); err == nil {
			fmt.Print(text)
		}
	} else {
		err = release(*dir, flag.Arg(0), time.Now())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "changelog:", err)
		os.Exit(1)
	}
}
