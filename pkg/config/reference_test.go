package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func comment(f config.Field) string {
	return fmt.Sprintf("%s.%s says what it is.\nOn two lines | with a bar.", f.Owner.Name(), f.Name)
}

func TestSample(t *testing.T) {
	got, err := config.Sample(defaults(), comment)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "sample.yaml", got)
	// As it is, it sets nothing; with every # of a setting taken off, it still reads.
	path := filepath.Join(t.TempDir(), "x.yaml")
	uncommented := regexp.MustCompile(`(?m)^( *)# ((  (- |  ))?[a-z_]+:( .*)?)$`).ReplaceAll(got, []byte("$1$2"))
	for name, file := range map[string][]byte{"as it is": got, "uncommented": uncommented} {
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := config.Load(defaults(), config.Options{Service: "gateway", DefaultFile: path})
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, file)
			continue
		}
		if a, b := fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", defaults()); strings.ReplaceAll(a, " ", "") != strings.ReplaceAll(b, " ", "") {
			t.Errorf("%s: got %s, want %s", name, a, b)
		}
	}
}

func TestReference(t *testing.T) {
	got, err := config.Reference("gateway", defaults(), comment)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Golden(t, "reference.md", got)
}

func TestFieldsRefuseWhatCannotBeRead(t *testing.T) {
	for want, c := range map[string]any{
		"is not a struct": 3,
		"needs a tag":     struct{ A string }{},
		`not "camelCase"`: struct {
			A string `config:"camelCase"`
		}{},
		"has type chan int": struct {
			A chan int `config:"a"`
		}{},
		"have one variable": struct {
			A struct {
				B string `config:"b"`
			} `config:"a"`
			C string `config:"a_b"`
		}{},
		"has type map[int]string": struct {
			A map[int]string `config:"a"`
		}{},
		"has type *string": struct {
			A *string `config:"a"`
		}{},
	} {
		if _, err := config.Fields(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: got %v, want %s", c, err, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]config.Size{
		"0": 0, "512B": 512, "64KiB": 64 << 10, "10MB": 10e6, "1.5GiB": 3 << 29, " 2 TiB ": 2 << 40, "1kB": 1000, "1KB": 1000,
	} {
		got, err := config.ParseSize(in)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
		again, err := config.ParseSize(got.String())
		if err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %d, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"", "5", "-1KiB", "KiB", "1 Kib", "NaNMB", "InfB", "9999999TiB", "0x10B", "1e3", "1_000B"} {
		if got, err := config.ParseSize(in); err == nil {
			t.Errorf("%q was read as %d", in, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "1h": time.Hour, "100s": 100 * time.Second,
		"1m0.5s": 60500 * time.Millisecond, "10m": 10 * time.Minute, "1h0m5s": time.Hour + 5*time.Second, "0d": 0,
	} {
		got, err := config.ParseDuration(in)
		if err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
		again, err := config.ParseDuration(config.FormatDuration(got))
		if err != nil || again != got {
			t.Errorf("%q prints as %q, which reads as %s, %v", in, config.FormatDuration(got), again, err)
		}
	}
	for _, in := range []string{"", "30", "-1s", "-1d", "1.5d", "d", "1d2h", "999999999d", "1 s"} {
		if got, err := config.ParseDuration(in); err == nil {
			t.Errorf("%q was read as %s", in, got)
		}
	}
}

// FuzzLoad looks for a file or variable that makes Load panic, leak a secret
// into an error, or return a value that its own rules refuse.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"", "name: x", "redis: {timeout: 1s}", "listeners:\n- address: a\n  key: b\n", "labels: {a: b, a: c}", "a: &x [*x]", "? [a]: b",
		"<<: {name: a}", "name: !!binary aGk=", "redis: &r {timeout: 1s}\nlabels: *r", "tokens: [a, [b]]", "- - -", "name: |\n  x", "\xff", "1: 2", "~: ~",
	} {
		f.Add(seed, "")
		f.Add("", seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file, env string) {
		path := filepath.Join(dir, "x.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		s, _, err := config.Load(defaults(), config.Options{Service: "gateway", DefaultFile: path, Environ: []string{
			"SLUICE_GATEWAY_LISTENERS=" + env, "SLUICE_GATEWAY_LIMIT=" + env, "SLUICE_GATEWAY_REDIS_PASSWORD=hunter2" + env,
		}})
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password was told: %v", err)
			}
			return
		}
		if s.Redis.Timeout < 0 || s.Limit < 0 || s.Name == "" {
			t.Errorf("took %+v", s)
		}
	})
}
