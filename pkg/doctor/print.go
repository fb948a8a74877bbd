package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// ErrFailed is returned by Run after a report with a failure was printed: the process
// then ends with the exit status 1, and has nothing to add.
var ErrFailed = errors.New("a check failed")

// Options of Run.
type Options struct {
	Service, Version string
	JSON             bool // print the report as JSON instead of text
}

// TakeJSON takes --json out of the arguments of a command line, up to "--", and tells
// whether it was there.
func TakeJSON(args []string) (rest []string, there bool) {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	rest = slices.DeleteFunc(slices.Clone(args[:end]), func(a string) bool { return a == "--json" })
	return append(rest, args[end:]...), len(rest) < end
}

// Asked tells whether a command line, as config.Load understood it, is the command
// doctor; err is what Load returned. It is not where --help was asked for.
func Asked(from config.Sources, err error) bool {
	return slices.Equal(from.Words, []string{"doctor"}) && !errors.Is(err, config.ErrHelp) && !errors.Is(err, config.ErrPrinted)
}

// Command is the command doctor of a service: the check of its configuration and, where
// that is valid (loaded, the error of config.Load, is nil), those of checks, whose
// second result is called at the end. It returns what Run does.
func Command(ctx context.Context, out io.Writer, o Options, from config.Sources, loaded error, checks func() ([]Check, func())) error {
	all := []Check{Configuration(from, loaded)}
	if loaded == nil {
		more, end := checks()
		defer end()
		all = append(all, more...)
	}
	return Run(ctx, out, o, all)
}

// Run examines, prints the report, and returns ErrFailed if a check failed.
func Run(ctx context.Context, out io.Writer, o Options, checks []Check) error {
	r := Examine(ctx, o.Service, o.Version, checks)
	text := []byte(r.Text())
	if o.JSON {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // nobody shows it as HTML
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		text = b.Bytes()
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	if r.Failed() {
		return ErrFailed
	}
	return nil
}

// Text is the report for people: a line per check, what to do below it, and a sum.
func (r Report) Text() string {
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	indent := strings.Repeat(" ", len("fail  ")+width+2)
	var b strings.Builder
	fmt.Fprintf(&b, "sluice-%s %s, looked at %s\n\n", r.Service, r.Version, r.At.Format("2006-01-02 15:04:05 MST"))
	count := map[Level]int{}
	for _, c := range r.Checks {
		count[c.Level]++
		level := string(c.Level)
		if c.Level == Fail {
			level = "FAIL"
		}
		fmt.Fprintf(&b, "%-6s%-*s  %s\n", level, width, c.Name, strings.ReplaceAll(c.Found, "\n", "\n"+indent))
		if c.Mend != "" {
			fmt.Fprintf(&b, "%sDo: %s\n", indent, strings.ReplaceAll(c.Mend, "\n", "\n"+indent))
		}
	}
	fmt.Fprintf(&b, "\n%s: %d ok, %d to look at (warn), %d failed.\n", plural(len(r.Checks), "check"), count[OK], count[Warn], count[Fail])
	return b.String()
}
