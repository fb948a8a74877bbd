// Package doctortest compares what the checks of a service say with golden files, for
// the tests of the services.
package doctortest

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// Examine runs all checks, fails the test if that takes 10 s, and compares the report
// with a golden file. replace are pairs of texts of this run and what stands for them
// in the file; of an address host:port the port alone is replaced too. What differs
// from machine to machine and from run to run is made the same. "open files", which
// hangs on the machine alone, is left out of the file.
func Examine(t *testing.T, golden string, checks []doctor.Check, end func(), replace ...string) doctor.Report {
	t.Helper()
	began := time.Now()
	r := doctor.Examine(t.Context(), "x", buildinfo.Version(), checks)
	end()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the examination took %s", took)
	}
	var b strings.Builder
	for _, c := range r.Checks {
		if c.Name == "open files" {
			continue
		}
		fmt.Fprintf(&b, "%s %s: %s\n", c.Level, c.Name, c.Found)
		if c.Mend != "" {
			fmt.Fprintf(&b, "     Do: %s\n", c.Mend)
		}
	}
	text := b.String()
	for i := 0; i < len(replace); i += 2 {
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
		if _, port, err := net.SplitHostPort(replace[i]); err == nil {
			text = strings.ReplaceAll(text, "port "+port, "port of "+replace[i+1])
			text = strings.ReplaceAll(text, "sport = :"+port, "sport = :PORT of "+replace[i+1])
		}
	}
	text = strings.ReplaceAll(text, buildinfo.Version(), "VERSION")
	for _, x := range [][2]string{
		{`answers in \S+\.`, "answers in TIME."},
		{`clock is \S+ (behind|ahead of) that of Redis \(± \S+\)`, "clock is TIME off that of Redis"},
		{`has \S+ free`, "has SIZE free"},
		{`version [0-9.]+\.`, "version N."},
		{`SQLite [0-9.]+[0-9]`, "SQLite N"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "INSTANT"},
		{`\S+ \(process \d+\)`, "PROGRAM (process N)"},
		{`by the user \S+, who runs this`, "by the user NAME, who runs this"},
		{`is \S+ behind, by`, "is TIME behind, by"},
	} {
		text = regexp.MustCompile(x[0]).ReplaceAllString(text, x[1])
	}
	testenv.Golden(t, golden, []byte(text))
	return r
}

// Level is that of one check, "" where there is none of that name.
func Level(r doctor.Report, name string) doctor.Level {
	for _, c := range r.Checks {
		if c.Name == name {
			return c.Level
		}
	}
	return ""
}
