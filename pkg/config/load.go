// Package config reads a process's settings into a struct: defaults, then the
// file, then the environment, then flags, the later winning. Settings are named
// by the struct's tags `config:"snake_case"`, dotted through nested structs; a
// name that does not exist is an error that says which one was meant. The
// comments of the struct's fields are the manual.
//
// A file is YAML. A variable is SLUICE_ + the service + the key in capitals:
// SLUICE_GATEWAY_REDIS_ADDRESSES; an empty one counts as not set. A flag is the
// key with dashes: --redis.master-name. Lists are comma-separated in both.
package config

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/sluice-gateway/sluice/pkg/buildinfo"
)

// Options says where settings come from.
type Options struct {
	// Service is the process, such as "gateway". It names the default file and the
	// prefix of the variables.
	Service string
	// Args are the command line without the program's name.
	Args []string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Stdout receives what --help, --version and --print-config print.
	Stdout io.Writer
	// DefaultFile is read if it exists and no other is named. Empty:
	// /etc/sluice/<service>.yaml.
	DefaultFile string
	// Sources, if not nil, is told where settings were looked for, also when Load
	// returns an error.
	Sources *Sources
}

// Load returns the defaults overlaid with all that was set, and the arguments
// that are no flags. Every error found is in the returned *Error; each names
// the key, where its value came from, what is wrong and the mend. Validate
// methods of T and of its sections run on the result, if they are there.
//
// Load answers --help with ErrHelp, --version and --print-config with
// ErrPrinted, after printing.
func Load[T any](defaults T, o Options) (T, []string, error) {
	out := defaults
	l, err := newLoader(reflect.ValueOf(&out).Elem(), o)
	if err != nil {
		return defaults, nil, err
	}
	args, err := l.load()
	if err != nil {
		return defaults, nil, err
	}
	return out, args, nil
}

// layered is a value of the file or the environment with its origin. viper
// layers pointers to it and never looks inside: it would fold the case of
// names in maps.
type layered struct {
	raw    any // string, or *yaml.Node
	source string
}

type loader struct {
	o       Options
	root    reflect.Value
	fields  []Field // settable ones, no elements
	byKey   map[string]Field
	viper   *viper.Viper
	flags   *pflag.FlagSet
	sources map[string]string // key -> origin
	decoder
}

func newLoader(root reflect.Value, o Options) (*loader, error) {
	all, err := Fields(root.Interface())
	if err != nil {
		return nil, err
	}
	if o.DefaultFile == "" {
		o.DefaultFile = "/etc/sluice/" + o.Service + ".yaml"
	}
	l := &loader{o: o, root: root, byKey: map[string]Field{}, viper: viper.New(), sources: map[string]string{}}
	for _, f := range all {
		if !f.Element {
			l.fields = append(l.fields, f)
			l.byKey[f.Key] = f
		}
	}
	l.flags = l.newFlags()
	return l, nil
}

func (l *loader) load() ([]string, error) {
	l.tell(func(s *Sources) { *s = Sources{} })
	if err := l.parseFlags(); err != nil {
		return nil, err
	}
	l.tell(func(s *Sources) { s.Words = l.flags.Args() })
	switch {
	case l.asked("help"):
		l.help()
		return nil, ErrHelp
	case l.asked("version"):
		fmt.Fprintf(l.o.Stdout, "sluice-%s %s (%s)\n", l.o.Service, buildinfo.Version(), buildinfo.Commit())
		return nil, ErrPrinted
	}
	env := l.environment()
	l.tellGiven(env)
	if err := l.layer(l.file(env)); err != nil {
		return nil, err
	}
	if err := l.layer(env.values); err != nil {
		return nil, err
	}
	l.assign()
	if len(l.errs) == 0 {
		l.resolveSecrets(l.root, "", env)
	}
	if len(l.errs) == 0 {
		l.validate(l.root, "")
	}
	if len(l.errs) > 0 {
		return nil, &Error{Keys: l.errs}
	}
	if l.asked("print-config") {
		return nil, l.print()
	}
	return l.flags.Args(), nil
}

// layer puts values on top of those that viper has.
func (l *loader) layer(values map[string]*layered) error {
	tree := map[string]any{}
	for key, v := range values {
		at, rest := tree, key
		for {
			name, tail, more := strings.Cut(rest, ".")
			if !more {
				at[name] = v
				break
			}
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at, rest = next, tail
		}
	}
	if err := l.viper.MergeConfigMap(tree); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// assign gives every field the value of its highest layer.
func (l *loader) assign() {
	for _, f := range l.fields {
		v := l.root.FieldByIndex(f.index)
		switch x := l.viper.Get(f.Key).(type) {
		case *layered:
			l.sources[f.Key] = x.source
			l.value(v, f.Key, x.source, x.raw)
		case string:
			if l.flags.Changed(f.Flag()) {
				l.sources[f.Key] = "flag --" + f.Flag()
				l.value(v, f.Key, l.sources[f.Key], x)
			}
		}
	}
}

// environ is the environment: variables of this service by key, and all of
// them by name.
type environ struct {
	values map[string]*layered
	all    map[string]string
	file   string // of the variable ..._CONFIG
}

func (e environ) lookup(name string) (string, bool) {
	v, ok := e.all[name]
	return v, ok
}

func (l *loader) environment() environ {
	e := environ{values: map[string]*layered{}, all: map[string]string{}}
	prefix := envPrefix(l.o.Service)
	known := map[string]string{prefix + "CONFIG": ""}
	for _, f := range l.fields {
		known[f.Env(l.o.Service)] = f.Key
	}
	for _, kv := range l.o.Environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			continue
		}
		e.all[name] = value
		if !strings.HasPrefix(name, prefix) || serviceLink(name, value) {
			continue
		}
		key, ok := known[name]
		switch {
		case !ok:
			l.unknown(name, "environment", nearest(name, known))
		case value == "":
		case key == "":
			e.file = value
		default:
			e.values[key] = &layered{value, "environment " + name}
		}
	}
	return e
}

var serviceLinkName = regexp.MustCompile(`_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// serviceLink tells whether a variable is one that Kubernetes sets for each
// Service: one called sluice-gateway brings SLUICE_GATEWAY_PORT=tcp://10.0.0.1:80
// and others, which nobody meant as settings.
func serviceLink(name, value string) bool {
	if serviceLinkName.MatchString(name) {
		return true
	}
	scheme, _, ok := strings.Cut(value, "://")
	return ok && strings.HasSuffix(name, "_PORT") && (scheme == "tcp" || scheme == "udp" || scheme == "sctp")
}
