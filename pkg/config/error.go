package config

import (
	"errors"
	"fmt"
	"strings"
)

// What Load returns after it did what a flag asked for; the process then ends
// with success.
var (
	// ErrHelp is returned after --help.
	ErrHelp = errors.New("help was printed")
	// ErrPrinted is returned after --print-config and --version.
	ErrPrinted = errors.New("the answer was printed")
)

// KeyError is one thing that is wrong with a configuration.
type KeyError struct {
	Key     string // dotted, such as "redis.addresses"
	Source  string // where the value came from: "file x.yaml:12", "environment NAME", "flag --x", or "" for the default
	Problem string
	Mend    string // what to do about it
}

// Error is "key (source): problem; mend".
func (e *KeyError) Error() string {
	var b strings.Builder
	b.WriteString(e.Key)
	if e.Source != "" {
		fmt.Fprintf(&b, " (%s)", e.Source)
	}
	fmt.Fprintf(&b, ": %s", e.Problem)
	if e.Mend != "" {
		fmt.Fprintf(&b, "; %s", e.Mend)
	}
	return b.String()
}

// Invalid makes an error for a Validate method. The key is relative to the
// struct that Validate belongs to; Load completes it and adds where the value
// came from.
func Invalid(key, problem, mend string) error {
	return &KeyError{Key: key, Problem: problem, Mend: mend}
}

// Error is everything that is wrong with a configuration, not only the first.
type Error struct {
	Keys []*KeyError
}

// Error has one line per finding.
func (e *Error) Error() string {
	if len(e.Keys) == 1 {
		return "configuration: " + e.Keys[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems", len(e.Keys))
	for _, k := range e.Keys {
		fmt.Fprintf(&b, "\n  %s", k.Error())
	}
	return b.String()
}

// Unwrap gives errors.As the findings.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Keys))
	for i, k := range e.Keys {
		errs[i] = k
	}
	return errs
}
