// Command docgen writes what is derived from source: the JSON Schema of a definition, the catalog of
// filters, the tables of filter READMEs, the configuration references and samples, the list of error
// codes, and the console's types of the dashboard's API. The comments on Go structs are the manual;
// this program only carries them to where people read.
//
//	go run ./scripts/docgen [-root DIR] [-check]
//
// The same source gives the same bytes. With -check nothing is written, and it ends with 1 when a file
// is not what it would write.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// step makes one or more files. It returns errAbsent when its source does not exist (yet).
type step struct {
	name string
	make func(*source) ([]output, error)
}

func steps() []step {
	all := []step{
		{"schema of a definition", definitionSchema},
		{"schemas of material", materialSchemas},
		{"catalog of filters", filterCatalog},
		{"tables of filter READMEs", filterReadmes},
	}
	for _, service := range []string{"gateway", "dashboard", "pump"} {
		all = append(all, step{"configuration of the " + service, func(s *source) ([]output, error) { return configuration(s, service) }})
	}
	return append(all,
		step{"error codes", errorCodes},
		step{"types of the dashboard's API", apiTypes})
}

func main() {
	root := flag.String("root", "", "folder that holds go.work; default: the nearest one upward")
	checkOnly := flag.Bool("check", false, "write nothing; end with 1 if a file would change")
	flag.Parse()
	changed, err := generate(*root, steps(), *checkOnly, func(line string) { fmt.Println(line) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(2)
	}
	if *checkOnly && len(changed) > 0 {
		fmt.Fprintln(os.Stderr, "docgen: run `make generate` and commit", strings.Join(changed, ", "))
		os.Exit(1)
	}
}
