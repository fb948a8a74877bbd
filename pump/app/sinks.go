package app

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
	"github.com/sluice-gateway/sluice/pump/catalog"
	"github.com/sluice-gateway/sluice/pump/pipeline"
)

// Sink is one place where records go.
type Sink struct {
	// Name is of your choice: lower-case letters, digits, dot, dash, underscore, 64 at
	// most. It names the consumer group in Redis, which knows how far the sink is: with
	// another name a sink begins anew. Pumps that share a sink give it the same name.
	Name string `config:"name"`
	// Type says what kind of sink it is; its options are in the section of that name.
	Type string `config:"type"`
	// Required makes /ready fail when the sink has failed for longer than ready_after.
	// Default: false.
	Required bool `config:"required"`
	// From says where a sink begins whose name is new: oldest (with what lies in the
	// streams) or now. Default: oldest.
	From string `config:"from"`
	// WriteTimeout is how long one attempt to write may take. A batch whose pump is
	// silent for twice as long goes to another pump. Default: 30s.
	WriteTimeout time.Duration `config:"write_timeout"`
	// Filter says which records the sink gets. Default: all.
	Filter pipeline.Filter `config:"filter"`
	// IgnoreFields are parts of records that the sink does not get, by their names in
	// JSON, such as client, query, request.body. Default: none.
	IgnoreFields []string `config:"ignore_fields"`
	// Sample is the fraction of records that the sink gets, such as 0.1. Which ones is
	// drawn by their ids. Default: all of them.
	Sample float64 `config:"sample"`

	catalog.Options
}

// Streams are what gateways write records to.
type Streams struct {
	// Shards is the number of streams, 1 to 16; it must be the one of the gateways.
	Shards int `config:"shards"`
	// Budget is what all streams together may hold in Redis. Beyond 9/10 of it the
	// oldest records are taken from the sinks that are behind the fastest one, and
	// counted; what no sink has stays, and gateways go over their disks.
	Budget config.Size `config:"budget"`
	// Unprotected is after how long without a reader a sink holds nothing back any more.
	Unprotected time.Duration `config:"unprotected"`
	// Forget is after how long the starts of gateways that sent nothing are forgotten,
	// and with them the gaps in what they sent.
	Forget time.Duration `config:"forget"`
}

var sinkName = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// checkSinks tells everything that is wrong with sinks and streams.
func (c Config) checkSinks() error {
	var errs []error
	bad := func(key, problem, mend string) { errs = append(errs, config.Invalid(key, problem, mend)) }
	if c.Streams.Shards < 1 || c.Streams.Shards > spool.MaxShards {
		bad("streams.shards", fmt.Sprintf("%d is not possible", c.Streams.Shards), fmt.Sprintf("use 1 to %d, the same as the gateways", spool.MaxShards))
	}
	if c.Streams.Budget < 1<<20 {
		bad("streams.budget", "is less than 1MiB", "give the streams what they may use of Redis' memory, such as 1GiB")
	}
	names := map[string]bool{}
	for i, s := range c.Sinks {
		at := func(name string) string { return fmt.Sprintf("sinks[%d].%s", i, name) }
		switch {
		case s.Name == "":
			bad(at("name"), "is empty", "give the sink a name, such as records")
		case !sinkName.MatchString(s.Name):
			bad(at("name"), fmt.Sprintf("%q is not a name", s.Name), "use 1 to 64 lower-case letters, digits, dots, dashes or underscores")
		case names[s.Name]:
			bad(at("name"), fmt.Sprintf("%q is the name of an earlier sink", s.Name), "give each sink a name of its own")
		}
		names[s.Name] = true
		if s.From != "" && s.From != "oldest" && s.From != "now" {
			bad(at("from"), fmt.Sprintf("%q is neither oldest nor now", s.From), "use oldest or now")
		}
		if s.WriteTimeout != 0 && s.WriteTimeout < time.Second {
			bad(at("write_timeout"), "is less than a second", "give a write 1s or more")
		}
		if err := pipeline.CheckFields(s.IgnoreFields); err != nil {
			bad(at("ignore_fields"), err.Error(), "name fields of that list")
		}
		errs = append(errs, s.checkType(at))
	}
	return errors.Join(errs...)
}

func (s Sink) checkType(at func(string) string) error {
	var types []string
	var kind *catalog.Kind
	for _, k := range catalog.List() {
		if types = append(types, k.Type); k.Type == s.Type {
			kind = &k
		}
	}
	if kind == nil {
		problem, mend := fmt.Sprintf("there is no type %q", s.Type), "use one of "+strings.Join(types, ", ")
		if s.Type == "" {
			problem = "is empty"
		} else if near := strictjson.Nearest(s.Type, types); near != "" {
			mend = fmt.Sprintf("did you mean %s? There are %s", near, strings.Join(types, ", "))
		}
		return config.Invalid(at("type"), problem, mend)
	}
	var errs []error
	if s.Sample < 0 || s.Sample > 1 {
		errs = append(errs, config.Invalid(at("sample"), fmt.Sprintf("%v is no fraction", s.Sample), "use a number above 0 and up to 1"))
	} else if kind.Counting && s.Sample > 0 && s.Sample < 1 {
		errs = append(errs, config.Invalid(at("sample"), "a sink that counts would count wrongly", "remove it; a filter is possible"))
	}
	options := reflect.ValueOf(s.Options)
	for i := range options.NumField() {
		if name := options.Type().Field(i).Tag.Get("config"); name != s.Type && !options.Field(i).IsZero() {
			errs = append(errs, config.Invalid(at(name), fmt.Sprintf("these are options of the type %s, but the sink is a %s", name, s.Type), "remove them, or change the type"))
		}
	}
	return errors.Join(errs...)
}
