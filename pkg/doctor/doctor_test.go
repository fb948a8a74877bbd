package doctor

import (
	"context"
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

// run looks with one check.
func run(t *testing.T, c Check) Finding {
	t.Helper()
	return c.look(testenv.Context(t, Limit)).Finding
}

// want compares a level, and looks for texts in what was found and in the mend.
func want(t *testing.T, f Finding, level Level, texts ...string) {
	t.Helper()
	if f.Level != level {
		t.Errorf("got %s, want %s: %s", f.Level, level, f.Found)
	}
	for _, text := range texts {
		if !strings.Contains(f.Found+"\n"+f.Mend, text) {
			t.Errorf("%q is not in %q, %q", text, f.Found, f.Mend)
		}
	}
	if (f.Mend == "") != (f.Level == OK) {
		t.Errorf("a %s finding with the mend %q", f.Level, f.Mend)
	}
	if !strings.HasSuffix(f.Found, ".") && !strings.Contains(f.Found, "\n") {
		t.Errorf("not a sentence: %q", f.Found)
	}
}

func TestAHangingCheckIsToldAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	began := time.Now()
	r := Examine(t.Context(), "gateway", "v1", []Check{
		{Name: "deaf", Within: 50 * time.Millisecond, Run: func(context.Context) Finding { <-never; return Well("") }},
		{Name: "quick", Run: func(context.Context) Finding { return Well("It is well.") }},
		{Name: "listens", Within: 50 * time.Millisecond, Run: func(ctx context.Context) Finding {
			<-ctx.Done()
			return Warning("wait", "It was slow.")
		}},
		{Name: "breaks", Run: func(context.Context) Finding { panic("of its own") }},
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	want(t, r.Checks[0].Finding, Fail, "given up after", "find out what hangs")
	want(t, r.Checks[1].Finding, OK, "It is well.")
	want(t, r.Checks[2].Finding, Warn, "It was slow.")
	if f := r.Checks[3].Finding; f.Level != Fail || !strings.Contains(f.Found, "of its own") {
		t.Errorf("a panic led to %+v", f)
	}
	if !r.Failed() || r.Level != Fail {
		t.Errorf("the report is %s", r.Level)
	}
}

func TestTheWholeExaminationHasALimit(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	var checks []Check
	for i := range 20 {
		checks = append(checks, Check{Name: fmt.Sprint(i), Within: time.Hour, Run: func(context.Context) Finding { <-never; return Well("") }})
	}
	began := time.Now()
	r := examine(t.Context(), 100*time.Millisecond, "pump", "v1", checks)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	for _, c := range r.Checks {
		want(t, c.Finding, Fail, "given up")
	}
	if Limit > 9*time.Second+time.Millisecond || redisWithin+lastWord >= DefaultWithin || keysWithin+redisWithin+2*lastWord >= DefaultWithin {
		t.Error("the deadlines do not fit into 10 s")
	}
}

func TestAReportForPeople(t *testing.T) {
	t.Parallel()
	r := Report{Service: "gateway", Version: "v1.2.3", At: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), Level: Fail, Checks: []Result{
		{Name: "data", Finding: Well("The folder is well.")},
		{Name: "configuration", Finding: Failure("a: correct it\nb: remove it", "Not valid:\na: is empty\nb: there is no such setting")},
		{Name: "redis", Finding: Warning("look", "It is slow.")},
	}}
	testenv.Golden(t, "report.txt", []byte(r.Text()))
	for _, failed := range []bool{false, true} {
		var out strings.Builder
		checks := []Check{{Name: "x", Run: func(context.Context) Finding {
			if failed {
				return Failure("mend <it>", "Broken.")
			}
			return Warning("look", "Odd.")
		}}}
		err := Run(t.Context(), &out, Options{Service: "pump", Version: "v1", JSON: true}, checks)
		var got Report
		if e := json.Unmarshal([]byte(out.String()), &got); e != nil || len(got.Checks) != 1 || got.Service != "pump" {
			t.Errorf("%v in %s", e, out.String())
		}
		if failed != errors.Is(err, ErrFailed) || failed != got.Failed() || failed && !strings.Contains(out.String(), "mend <it>") {
			t.Errorf("failed %v: %v, %s", failed, err, out.String())
		}
	}
}

func TestNoPasswordOfAnAddressIsShown(t *testing.T) {
	t.Parallel()
	for text, shown := range map[string]string{
		`"redis://:s3cret@host:6379" is not host:port`:    `"redis://***@host:6379" is not host:port`,
		`at mongodb://kim:s3c@ret/x@db1,db2/?a=b refused`: `at mongodb://***@db1,db2/?a=b refused`,
		`(kim:s3cret@host:1)`:                             `(***@host:1)`,
		`https://kim:s3cret@host`:                         `https://***@host`,
		`at 10:04:05 kim@example.com wrote [::1]:6379`:    `at 10:04:05 kim@example.com wrote [::1]:6379`,
	} {
		c := Check{Name: "x", Run: func(context.Context) Finding { return Warning(text, "%s.", text) }}
		if f := run(t, c); f.Found != shown+"." || f.Mend != shown {
			t.Errorf("got %q, want %q", f.Found, shown)
		}
	}
}

type settings struct {
	// Data is a folder.
	Data string `config:"data"`
	// Redis is an address.
	Redis string `config:"redis"`
	// Password is a secret.
	Password config.Secret `config:"password"`
}

func (s settings) Validate() error {
	if strings.Contains(s.Redis, "://") {
		return config.Invalid("redis", fmt.Sprintf("%q is not host:port", s.Redis), "write host:port")
	}
	return nil
}

func TestTheConfigurationIsToldWithItsOrigin(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(file, []byte("data: here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(env []string, args ...string) Finding {
		var from config.Sources
		_, _, err := config.Load(settings{}, config.Options{Service: "x", Args: append(args, "doctor"), Environ: env, DefaultFile: file, Sources: &from, Stdout: &strings.Builder{}})
		if !Asked(from, err) {
			t.Errorf("doctor was not seen in %+v", from)
		}
		return run(t, Configuration(from, err))
	}
	want(t, load([]string{"SLUICE_X_REDIS=a:1", "SLUICE_X_PASSWORD=s3cret"}, "--data", "there"), OK,
		"the file "+file+", the environment (SLUICE_X_PASSWORD, SLUICE_X_REDIS) and flags (--data).")
	f := load([]string{"SLUICE_X_REDIS=redis://:s3cret@a:1"})
	want(t, f, Fail, "redis (environment SLUICE_X_REDIS)", "write host:port", "redis://***@a:1", "the service does not start")
	if strings.Contains(fmt.Sprint(f), "s3cret") {
		t.Errorf("a password is in %+v", f)
	}
	want(t, load(nil, "--config", "/no/such/file"), Fail, "/no/such/file (flag --config)")
	want(t, load([]string{"SLUICE_X_DATUM=1"}), Fail, "SLUICE_X_DATUM")
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	rest, asked := TakeJSON([]string{"doctor", "--json", "--data", "d", "--", "--json"})
	if !asked || strings.Join(rest, " ") != "doctor --data d -- --json" {
		t.Errorf("%v %v", rest, asked)
	}
	if rest, asked = TakeJSON([]string{"--data", "d"}); asked || len(rest) != 2 {
		t.Errorf("%v %v", rest, asked)
	}
	if Asked(config.Sources{Words: []string{"doctor"}}, config.ErrHelp) || Asked(config.Sources{Words: []string{"doctor", "now"}}, nil) || Asked(config.Sources{}, nil) {
		t.Error("doctor was seen where nobody asked for it")
	}
	// without a valid configuration nothing else can be looked at
	var out strings.Builder
	err := Command(t.Context(), &out, Options{Service: "x", Version: "v1"}, config.Sources{}, errors.New("broken"), nil)
	if !errors.Is(err, ErrFailed) || !strings.Contains(out.String(), "1 check: 0 ok") {
		t.Errorf("%v: %s", err, out.String())
	}
	ended := false
	err = Command(t.Context(), &out, Options{Service: "x", Version: "v1"}, config.Sources{}, nil, func() ([]Check, func()) {
		return []Check{OpenFiles(1, 2)}, func() { ended = true }
	})
	if err != nil || !ended {
		t.Errorf("%v, ended %v", err, ended)
	}
}

func TestOpenFiles(t *testing.T) {
	t.Parallel()
	want(t, run(t, OpenFiles(1, 1)), OK)
	want(t, judgeFiles(512, 1024, 65536), Fail, "512", "LimitNOFILE")
	want(t, judgeFiles(1024, 1024, 65536), Warn, "65536 are advised")
	want(t, judgeFiles(65536, 1024, 65536), OK)
}
