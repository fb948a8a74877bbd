package config

import (
	"fmt"
	"slices"
	"strings"
)

// Sources tells where Load looked, also when it returned an error: what a
// diagnosis wants to say beside it.
type Sources struct {
	// File is the settings file that was looked for. Read says whether it was there
	// and could be read; the default file may be absent.
	File string
	Read bool
	// Environment are the variables that were set and are settings, sorted.
	Environment []string
	// Flags are the flags that were given, without the dashes, sorted.
	Flags []string
	// Words are the arguments that are no flags; a command is the first of them.
	Words []string
}

// String is a part of a sentence, such as "file /etc/sluice/gateway.yaml and
// environment SLUICE_GATEWAY_DATA". It has names only, never a value.
func (s Sources) String() string {
	var said []string
	switch {
	case s.Read:
		said = append(said, "the file "+s.File)
	case s.File != "":
		said = append(said, fmt.Sprintf("no file (%s is not there)", s.File))
	}
	if len(s.Environment) > 0 {
		said = append(said, "the environment ("+strings.Join(s.Environment, ", ")+")")
	}
	if len(s.Flags) > 0 {
		said = append(said, "flags (--"+strings.Join(s.Flags, ", --")+")")
	}
	if n := len(said); n > 1 {
		return strings.Join(said[:n-1], ", ") + " and " + said[n-1]
	}
	return strings.Join(said, "")
}

// tell notes something for whoever asked for the sources.
func (l *loader) tell(f func(s *Sources)) {
	if l.o.Sources != nil {
		f(l.o.Sources)
	}
}

// tellGiven notes the variables and flags that are settings.
func (l *loader) tellGiven(env environ) {
	l.tell(func(s *Sources) {
		for _, v := range env.values {
			s.Environment = append(s.Environment, strings.TrimPrefix(v.source, "environment "))
		}
		slices.Sort(s.Environment)
		for _, f := range l.fields {
			if l.flags.Changed(f.Flag()) {
				s.Flags = append(s.Flags, f.Flag())
			}
		}
		slices.Sort(s.Flags)
	})
}
