package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

type settings struct {
	Name      string            `config:"name"`
	Redis     redis             `config:"redis"`
	Listeners []listener        `config:"listeners"`
	Labels    map[string]string `config:"labels"`
	Tokens    []config.Secret   `config:"tokens"`
	Limit     config.Size       `config:"limit"`
	Debug     bool              `config:"debug"`
	Ratio     float64           `config:"ratio"`
	hidden    int
	Common
}

type Common struct {
	Workers uint8 `config:"workers"`
}

type redis struct {
	Addresses  []string      `config:"addresses"`
	Password   config.Secret `config:"password"`
	MasterName string        `config:"master_name"`
	Timeout    time.Duration `config:"timeout"`
}

type listener struct {
	Address string        `config:"address"`
	Key     config.Secret `config:"key"`
}

func (r redis) Validate() error {
	if r.MasterName == "bad" {
		return errors.Join(config.Invalid("master_name", "it is bad", "use a good one"), fmt.Errorf("timeout: also bad"))
	}
	return nil
}

func (s *settings) Validate() error {
	if s.Name == "" {
		return config.Invalid("name", "it is empty", "give one")
	}
	return nil
}

func defaults() settings {
	return settings{
		Name: "sluice", Limit: 64 << 10, Ratio: 0.5, hidden: 1, Common: Common{Workers: 4},
		Redis:     redis{Addresses: []string{"127.0.0.1:6379"}, Timeout: 2 * time.Second},
		Listeners: []listener{{Address: ":8080"}},
	}
}

// run loads with a file of that text ("" for none).
func run(t *testing.T, file string, environ []string, args ...string) (settings, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	if file != "" {
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	s, _, err := config.Load(defaults(), config.Options{
		Service: "gateway", Args: args, Environ: environ, Stdout: &out, DefaultFile: path,
	})
	if err != nil {
		// Messages name the file: make them the same on every machine.
		err = &readable{err, strings.ReplaceAll(err.Error(), path, "gateway.yaml")}
	}
	return s, strings.ReplaceAll(out.String(), path, "gateway.yaml"), err
}

type readable struct {
	error
	text string
}

func (r *readable) Error() string { return r.text }
func (r *readable) Unwrap() error { return r.error }

func TestLaterLayersWin(t *testing.T) {
	file := "name: file\nredis:\n  master_name: file\n  timeout: 1s\nlimit: 1MiB\n"
	env := []string{"SLUICE_GATEWAY_REDIS_MASTER_NAME=env", "SLUICE_GATEWAY_LIMIT=2MiB", "SLUICE_GATEWAY_NAME=", "OTHER=x"}
	s, _, err := run(t, file, env, "--limit=3MiB", "--redis.addresses=a:1,b:2", "--redis.addresses", "c:3", "--debug")
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "file" || s.Redis.MasterName != "env" || s.Limit != 3<<20 || s.Redis.Timeout != time.Second || !s.Debug {
		t.Errorf("got %+v", s)
	}
	if fmt.Sprint(s.Redis.Addresses) != "[a:1 b:2 c:3]" {
		t.Errorf("addresses %v", s.Redis.Addresses)
	}
	if s.Workers != 4 || s.Ratio != 0.5 || s.hidden != 1 {
		t.Errorf("what nobody set changed: %+v", s)
	}
}

func TestSettingNothingKeepsTheDefaults(t *testing.T) {
	s, _, err := run(t, "# only a comment\nredis:\nname:\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", defaults()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListsAndMapsKeepTheirCase(t *testing.T) {
	file := "labels:\n  MixedCase: A\nlisteners:\n- address: :1\n- address: :2\n  key: ${env:TLS}\n"
	s, _, err := run(t, file, []string{"TLS=private", `SLUICE_GATEWAY_TOKENS=a,${env:TLS}`})
	if err != nil {
		t.Fatal(err)
	}
	if s.Labels["MixedCase"] != "A" || len(s.Listeners) != 2 || s.Listeners[1].Key.Value() != "private" || s.Tokens[1].Value() != "private" {
		t.Errorf("got %+v %q", s, s.Listeners[1].Key.Value())
	}
	s, _, err = run(t, "", []string{`SLUICE_GATEWAY_LISTENERS=[{"address": ":9"}]`, `SLUICE_GATEWAY_LABELS={A: b}`})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Listeners) != 1 || s.Listeners[0].Address != ":9" || s.Labels["A"] != "b" {
		t.Errorf("from the environment: %+v", s)
	}
}

func TestErrorsNameKeyOriginProblemAndMend(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env, args  []string
		want       string
	}{
		{
			"unknown key", "redis:\n  adresses: [a:1]\n", nil, nil,
			"redis.adresses (file gateway.yaml:2): there is no such setting; did you mean redis.addresses?",
		},
		{
			"key of another section", "timeout: 1s\n", nil, nil,
			"timeout (file gateway.yaml:1): there is no such setting; did you mean redis.timeout?",
		},
		{"case is not folded", "Name: x\n", nil, nil, "Name (file gateway.yaml:1): there is no such setting; did you mean name?"},
		{"far from everything", "zzzzzzzz: x\n", nil, nil, "zzzzzzzz (file gateway.yaml:1): there is no such setting; remove it"},
		{
			"unknown in a list", "listeners:\n- adress: x\n", nil, nil,
			"listeners[0].adress (file gateway.yaml:2): there is no such setting; did you mean address?",
		},
		{
			"unknown variable", "",
			[]string{"SLUICE_GATEWAY_REDIS_ADDRESS=x"},
			nil,
			"SLUICE_GATEWAY_REDIS_ADDRESS (environment): there is no such setting; did you mean SLUICE_GATEWAY_REDIS_ADDRESSES?",
		},
		{"unknown flag", "", nil, []string{"--redis.master"}, "--redis.master: there is no such flag; did you mean --redis.master-name?"},
		{"twice", "name: a\nname: b\n", nil, nil, "name (file gateway.yaml:2): it is set twice; keep one of the two"},
		{
			"duration without unit", "redis: {timeout: 30}\n", nil, nil,
			`redis.timeout (file gateway.yaml:1): "30" is not a duration: write a number and a unit, such as 250ms, 30s, 1h or 30d`,
		},
		{
			"size without unit", "",
			[]string{"SLUICE_GATEWAY_LIMIT=1024"},
			nil,
			`limit (environment SLUICE_GATEWAY_LIMIT): "1024" is not a size: write a number and a unit, such as 512B, 64KiB or 10MB`,
		},
		{"bad bool", "debug: yes\n", nil, nil, `debug (file gateway.yaml:1): "yes" is not usable; use true or false`},
		{"out of range", "", nil, []string{"--workers=256"}, `workers (flag --workers): "256" is not usable; use a whole number that fits uint8`},
		{"not a number", "ratio: .nan\n", nil, nil, `ratio (file gateway.yaml:1): ".nan" is not usable; use a number, such as 0.5`},
		{
			"section given as value", "redis: here\n", nil, nil,
			"redis (file gateway.yaml:1): it is a section with settings, not a single value; put its settings below it, indented",
		},
		{
			"list given as section", "listeners: {address: x}\n", nil, nil,
			"listeners (file gateway.yaml:1): a list is wanted here, not a section; put a dash and a space before each element",
		},
		{
			"section's own rule", "",
			[]string{"SLUICE_GATEWAY_REDIS_MASTER_NAME=bad"},
			nil,
			"configuration: 2 problems\n  redis.master_name (environment SLUICE_GATEWAY_REDIS_MASTER_NAME): it is bad; use a good one\n  redis.timeout: also bad",
		},
		{"rule of the whole", `name: ""`, nil, nil, "name (file gateway.yaml:1): it is empty; give one"},
		{"all at once", "a: 1\nworkers: x\n", nil, nil, "configuration: 2 problems\n  a (file"},
		{"broken YAML", "a: [\n", nil, nil, "gateway.yaml: line"},
		{"two documents", "name: a\n---\nname: b\n", nil, nil, "gateway.yaml: there is more than one YAML document"},
		{"a list at the top", "- a\n", nil, nil, "gateway.yaml: the file is a list, not settings"},
		{
			"named file absent", "", nil,
			[]string{"--config=/nonexistent.yaml"},
			"/nonexistent.yaml (flag --config): the file cannot be read: no such file or directory",
		},
		{
			"file named by the environment", "",
			[]string{"SLUICE_GATEWAY_CONFIG=/nonexistent.yaml"},
			nil,
			"/nonexistent.yaml (environment SLUICE_GATEWAY_CONFIG): the file",
		},
		{
			"secret file absent", "redis:\n  password: ${file:/nonexistent}\n", nil, nil,
			"redis.password (file gateway.yaml:2): the secret's file cannot be read: open /nonexistent: no such file or directory; make",
		},
		{
			"secret variable absent", "listeners: [{key: \"${env:NOPE}\"}]\n", nil, nil,
			"listeners[0].key (file gateway.yaml:1): the environment has no variable NOPE; set it",
		},
		{"reference not closed", "", nil, []string{"--redis.password=${env:X"}, "redis.password (flag --redis.password): a reference has no closing brace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := run(t, c.file, c.env, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestSecretsAreResolved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"plain":                             "plain",
		"${file:" + path + "}":              "from file",
		"a:${env:P}@${file:" + path + "}/$": "a:x@from file/$",
		"${other:x}${":                      "${other:x}${",
	} {
		s, _, err := run(t, "", []string{"P=x", "SLUICE_GATEWAY_REDIS_PASSWORD=" + in})
		if err != nil || s.Redis.Password.Value() != want {
			t.Errorf("%q: got %q, %v", in, s.Redis.Password.Value(), err)
		}
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	type holder struct{ S config.Secret }
	s := config.Secret("hunter2")
	j, err := json.Marshal(holder{s})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(j)
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%T%v"} {
		fmt.Fprintf(&b, verb, s)
		fmt.Fprintf(&b, verb, holder{s})
		fmt.Fprintf(&b, verb, &holder{s})
	}
	if strings.Contains(b.String(), "hunter2") || strings.Contains(b.String(), "68756e74657232") {
		t.Errorf("a secret was printed: %s", b.String())
	}
	if config.Secret("").String() != "" {
		t.Error("no secret looks like one")
	}
}

func TestPrintConfig(t *testing.T) {
	_, out, err := run(t, "redis:\n  password: hunter2\n  timeout: 90s\ntokens: [a, b]\nlabels: {Z: \"1\", A: \"true\"}\n",
		[]string{"SLUICE_GATEWAY_LIMIT=100kB"}, "--print-config", "--workers", "8")
	if !errors.Is(err, config.ErrPrinted) {
		t.Fatal(err)
	}
	testenv.Golden(t, "print-config.yaml", []byte(out))
}

func TestHelp(t *testing.T) {
	_, out, err := run(t, "", nil, "-h")
	if !errors.Is(err, config.ErrHelp) {
		t.Fatal(err)
	}
	testenv.Golden(t, "help.txt", []byte(out))
	if _, out, err := run(t, "", nil, "--version"); !errors.Is(err, config.ErrPrinted) || !strings.HasPrefix(out, "sluice-gateway v") {
		t.Errorf("--version: %q %v", out, err)
	}
}

func TestArgumentsThatAreNoFlagsComeBack(t *testing.T) {
	_, args, err := config.Load(defaults(), config.Options{Service: "gateway", Args: []string{"check", "--debug", "a.json", "--", "--x"}, DefaultFile: "/nonexistent"})
	if err != nil || fmt.Sprint(args) != "[check a.json --x]" {
		t.Errorf("got %q, %v", args, err)
	}
}

func TestKubernetesServiceLinksAreNoSettings(t *testing.T) {
	_, _, err := run(t, "", []string{
		"SLUICE_GATEWAY_SERVICE_HOST=10.0.0.1", "SLUICE_GATEWAY_SERVICE_PORT=80", "SLUICE_GATEWAY_SERVICE_PORT_HTTP=80",
		"SLUICE_GATEWAY_PORT=tcp://10.0.0.1:80", "SLUICE_GATEWAY_PORT_80_TCP=tcp://10.0.0.1:80",
		"SLUICE_GATEWAY_PORT_80_TCP_ADDR=10.0.0.1", "SLUICE_GATEWAY_ADMIN_PORT=tcp://10.0.0.2:90",
	})
	if err != nil {
		t.Error(err)
	}
	if _, _, err := run(t, "", []string{"SLUICE_GATEWAY_PORT=80"}); err == nil {
		t.Error("an unknown variable that looks like a setting was taken")
	}
}

func TestDefaultsAreNotWrittenTo(t *testing.T) {
	d := defaults()
	d.Listeners = []listener{{Key: "${env:K}"}}
	d.Tokens = []config.Secret{"${env:K}"}
	s, _, err := config.Load(d, config.Options{Service: "gateway", Environ: []string{"K=v"}, DefaultFile: "/nonexistent"})
	if err != nil || s.Listeners[0].Key.Value() != "v" || s.Tokens[0].Value() != "v" {
		t.Fatalf("%+v %v", s, err)
	}
	if d.Listeners[0].Key.Value() != "${env:K}" || d.Tokens[0].Value() != "${env:K}" {
		t.Error("the caller's defaults changed")
	}
}
