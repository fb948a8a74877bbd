package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// flagText holds a flag's text until all layers are known. viper takes any type
// that it has not heard of as a string.
type flagText struct {
	text string
	list bool // given again, it appends
	set  bool
}

var _ pflag.Value = (*flagText)(nil)

// String is the text so far.
func (f *flagText) String() string { return f.text }

// Set takes the text of one occurrence of the flag.
func (f *flagText) Set(s string) error {
	if f.list && f.set {
		s = f.text + "," + s
	}
	f.text, f.set = s, true
	return nil
}

// Type is the word that stands for the value.
func (f *flagText) Type() string { return "value" }

func (l *loader) newFlags() *pflag.FlagSet {
	fs := pflag.NewFlagSet(l.o.Service, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.SortFlags = false
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	fs.String("config", "", "")
	fs.BoolP("help", "h", false, "")
	fs.Bool("version", false, "")
	fs.Bool("print-config", false, "")
	for _, f := range l.fields {
		list := f.Type.Kind() == reflect.Slice && scalar(f.Type.Elem())
		flag := fs.VarPF(&flagText{list: list}, f.Flag(), "", "")
		if f.Type.Kind() == reflect.Bool {
			flag.NoOptDefVal = "true"
		}
	}
	return fs
}

func (l *loader) asked(name string) bool {
	yes, err := l.flags.GetBool(name)
	return err == nil && yes
}

func (l *loader) parseFlags() error {
	if err := l.flags.Parse(l.o.Args); err != nil {
		return &Error{Keys: []*KeyError{l.flagError(err)}}
	}
	for _, f := range l.fields {
		if err := l.viper.BindPFlag(f.Key, l.flags.Lookup(f.Flag())); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	return nil
}

func (l *loader) flagError(err error) *KeyError {
	var missing *pflag.NotExistError
	if errors.As(err, &missing) && missing.GetSpecifiedShortnames() == "" {
		known := map[string]bool{}
		l.flags.VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
		mend := "--help lists all flags"
		if near := nearest(missing.GetSpecifiedName(), known); near != "" {
			mend = fmt.Sprintf("did you mean --%s?", near)
		}
		return &KeyError{Key: "--" + missing.GetSpecifiedName(), Problem: "there is no such flag", Mend: mend}
	}
	return &KeyError{Key: "command line", Problem: err.Error(), Mend: "--help lists all flags"}
}

// help prints every flag with its default. What a setting means is said in one
// place, the sample file that is made of the comments in the source.
func (l *loader) help() {
	w := l.o.Stdout
	fmt.Fprintf(w, `sluice-%s %s

Settings come from a YAML file, then the environment, then flags; the later win.
What each setting means is written in the sample file, %s.
A flag --a.b-c is a.b_c in the file and %sA_B_C in the environment.

  --config FILE     file to read; default %s if it exists
  --print-config    print the settings in use, with their origin, and end
  --version         print the version and end
  --help, -h        print this and end

`, l.o.Service, "settings", l.o.DefaultFile, envPrefix(l.o.Service), l.o.DefaultFile)
	width := 0
	for _, f := range l.fields {
		width = max(width, len(f.Flag()))
	}
	for _, f := range l.fields {
		d := f.Default
		if d == "" {
			fmt.Fprintf(w, "  --%s\n", f.Flag())
			continue
		}
		fmt.Fprintf(w, "  --%-*s  default %s\n", width, f.Flag(), d)
	}
}
