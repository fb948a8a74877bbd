package app

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pump/catalog"
)

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pump.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := config.Load(Default(), config.Options{Service: "pump", Args: []string{"--config", file}})
	return c, err
}

func TestSinksAreRead(t *testing.T) {
	c, err := load(t, `
ready_after: 1m
streams: {shards: 8, budget: 2GiB, unprotected: 3d}
sinks:
  - name: records
    type: sqlite
    required: true
    from: now
    write_timeout: 10s
    filter: {orgs: [default], statuses: [4xx, "500-599", "0"], skip_apis: ["-"]}
    ignore_fields: [client, request.body]
    sample: 0.5
    sqlite: {dir: /data/records, retention: 3d}
  - name: files
    type: jsonl
  - {name: metrics, type: prometheus}
  - {name: m, type: mongodb, mongodb: {url: "mongodb://127.0.0.1/"}}
  - {name: out, type: stdout}
`)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sinks) != 5 || c.Streams.Shards != 8 || c.Streams.Budget != 2<<30 || c.Streams.Unprotected != 72*time.Hour || c.ReadyAfter != time.Minute {
		t.Errorf("%+v", c)
	}
	if s := c.Sinks[0]; !s.Required || s.SQLite.Dir != "/data/records" || s.Filter.Statuses[1] != "500-599" || s.Sample != 0.5 || s.WriteTimeout != 10*time.Second {
		t.Errorf("%+v", s)
	}
}

func TestWrongSinksAreToldWithTheMend(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown type":           {"sinks: [{name: a, type: sqllite}]", `sinks[0].type (file FILE:1): there is no type "sqllite"; did you mean sqlite?`},
		"no type":                   {"sinks: [{name: a}]", "sinks[0].type (file FILE:1): is empty; use one of sqlite, mongodb, prometheus, jsonl, stdout"},
		"no name":                   {"sinks: [{type: stdout}]", "sinks[0].name (file FILE:1): is empty"},
		"a name that is none":       {"sinks: [{name: My Sink, type: stdout}]", `sinks[0].name (file FILE:1): "My Sink" is not a name; use 1 to 64`},
		"a name twice":              {"sinks: [{name: a, type: stdout}, {name: a, type: jsonl}]", `sinks[1].name (file FILE:1): "a" is the name of an earlier sink`},
		"options of another type":   {"sinks: [{name: a, type: stdout, jsonl: {dir: /x}}]", "sinks[0].jsonl (file FILE:1): these are options of the type jsonl, but the sink is a stdout"},
		"an unknown option":         {"sinks: [{name: a, type: jsonl, jsonl: {rotate: 1MiB}}]", "sinks[0].jsonl.rotate (file FILE:1): there is no such setting"},
		"a wrong status":            {"sinks: [{name: a, type: stdout, filter: {statuses: [bad]}}]", `sinks[0].filter.statuses (file FILE:1): "bad" is no status`},
		"an unknown field":          {"sinks: [{name: a, type: stdout, ignore_fields: [ip]}]", `sinks[0].ignore_fields (file FILE:1): there is no field "ip"`},
		"a sample of a counter":     {"sinks: [{name: a, type: prometheus, sample: 0.1}]", "sinks[0].sample (file FILE:1): a sink that counts would count wrongly"},
		"a sample above 1":          {"sinks: [{name: a, type: stdout, sample: 10}]", "sinks[0].sample (file FILE:1): 10 is no fraction"},
		"a wrong beginning":         {"sinks: [{name: a, type: stdout, from: tomorrow}]", `sinks[0].from (file FILE:1): "tomorrow" is neither`},
		"a short timeout":           {"sinks: [{name: a, type: stdout, write_timeout: 10ms}]", "sinks[0].write_timeout (file FILE:1): is less than a second"},
		"too many shards":           {"streams: {shards: 17}", "streams.shards (file FILE:1): 17 is not possible; use 1 to 16"},
		"a budget without its unit": {"streams: {budget: 1KiB}", "streams.budget (file FILE:1): is less than 1MiB"},
		"a stop without time":       {"shutdown: {timeout: 1s}", "shutdown.timeout (file FILE:1): is less than a stop needs"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text)
			if err == nil {
				t.Fatal("it was accepted")
			}
			got := err.Error()
			if i, j := strings.Index(got, "file /"), strings.Index(got, "pump.yaml"); i >= 0 && j > i {
				got = strings.ReplaceAll(got, got[i+5:j+9], "FILE")
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestEveryTypeHasItsOptions compares the list of sinks with the union of options.
func TestEveryTypeHasItsOptions(t *testing.T) {
	options := map[string]bool{}
	o := reflect.TypeFor[catalog.Options]()
	for i := range o.NumField() {
		options[o.Field(i).Tag.Get("config")] = true
	}
	for _, k := range catalog.List() {
		if !options[k.Type] {
			t.Errorf("the type %s has no options", k.Type)
		}
		delete(options, k.Type)
	}
	if len(options) > 0 {
		t.Errorf("options without a type: %v", options)
	}
}
