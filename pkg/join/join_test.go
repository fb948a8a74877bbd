package join_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/join"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// settings are those of a service, as far as joining reads them.
type settings struct {
	Name  string         `config:"name"`
	Redis redisdb.Config `config:"redis"`
}

// joiner is a host that is to join.
type joiner struct {
	s        *testenv.Server
	keys     *trust.Keys // of the platform
	dir      string
	settings config.Options
	out      bytes.Buffer
}

func newJoiner(t *testing.T) *joiner {
	j := &joiner{s: testenv.RedisServer(t), keys: testenv.Must(trust.Generate())(t), dir: t.TempDir()}
	j.settings = config.Options{Service: "gateway", DefaultFile: filepath.Join(j.dir, "etc", "gateway.yaml")}
	return j
}

func (j *joiner) keyDir() string { return filepath.Join(j.dir, "data", "keys") }

func (j *joiner) token(t *testing.T, role bus.JoinRole) string {
	t.Helper()
	o := bus.Offer{Role: role, Name: "edge-1", TTL: time.Hour, Redis: bus.RedisAt{Addresses: []string{j.s.Addr()}}}
	return testenv.Must(bus.NewHandover(j.s.Client()).Offer(t.Context(), j.keys, o))(t).String()
}

func (j *joiner) run(t *testing.T, token string, force bool) error {
	t.Helper()
	load := func(r redisdb.Config) settings {
		c, _, err := config.Load(settings{Redis: r}, j.settings)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load(redisdb.Default())
	j.out.Reset()
	return join.Run(t.Context(), join.Options{
		Role: bus.JoinGateway, Token: token, Force: force, Data: filepath.Join(j.dir, "data"), Keys: j.keyDir(),
		File: testenv.Must(config.File(settings{}, j.settings))(t), Name: c.Name, Named: true, Redis: c.Redis,
		Overlay: func(d redisdb.Config) (redisdb.Config, error) { return load(d).Redis, nil },
		Open: func(c redisdb.Config) (join.Desk, error) {
			rdb, err := redisdb.Open(c)
			if err != nil {
				return nil, err
			}
			return bus.NewHandover(rdb), nil
		},
		Out: &j.out,
	})
}

// after is what the service reads when it starts.
func (j *joiner) after(t *testing.T) settings {
	t.Helper()
	c, _, err := config.Load(settings{Redis: redisdb.Default()}, j.settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestJoiningAFreshHost(t *testing.T) {
	j := newJoiner(t)
	if err := j.run(t, j.token(t, bus.JoinGateway), false); err != nil {
		t.Fatal(err)
	}
	got := testenv.Must(trust.LoadNode(j.keyDir()))(t)
	if got.Fingerprint() != j.keys.Fingerprint() {
		t.Error("other keys than the platform's")
	}
	if c := j.after(t); c.Name != "edge-1" || !slices.Equal(c.Redis.Addresses, []string{j.s.Addr()}) {
		t.Errorf("the service would start with %+v", c)
	}
	// Again with another token: the keys are there, so it stays unused.
	token := j.token(t, bus.JoinGateway)
	for range 2 {
		if err := j.run(t, token, false); err != nil || !strings.Contains(j.out.String(), "was not used") || !strings.Contains(j.out.String(), "settings are complete") {
			t.Errorf("%v %s", err, &j.out)
		}
	}
	if err := j.run(t, token, true); err != nil {
		t.Error("with --force keys that are the same are no fault:", err)
	}
}

func TestSettingsOfTheHostWinAndStayAsTheyAre(t *testing.T) {
	sample := "## a comment\n#redis:\n#  addresses: []" // no line end
	for name, c := range map[string]struct {
		text      string
		env       func(addr string) []string
		untouched bool
		says      string
	}{
		"comments only":  {text: sample, says: "says where Redis is"},
		"other settings": {text: "name: mine\n", untouched: true, says: "redis:\n  addresses: ["},
		"an empty file":  {text: "", says: "says where Redis is"},
		"all is set in the environment": {text: "name: mine\n", untouched: true, says: "settings are complete", env: func(addr string) []string {
			return []string{"SLUICE_GATEWAY_REDIS_ADDRESSES=" + addr}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJoiner(t)
			if c.env != nil {
				j.settings.Environ = c.env(j.s.Addr())
			}
			write(t, j.settings.DefaultFile, c.text)
			if err := j.run(t, j.token(t, bus.JoinGateway), false); err != nil {
				t.Fatal(err)
			}
			text := testenv.Must(os.ReadFile(j.settings.DefaultFile))(t)
			if !strings.HasPrefix(string(text), c.text) || (string(text) == c.text) != c.untouched {
				t.Errorf("the file is now\n%s", text)
			}
			if !strings.Contains(j.out.String(), c.says) {
				t.Errorf("said\n%s", &j.out)
			}
			if !c.untouched && !slices.Equal(j.after(t).Redis.Addresses, []string{j.s.Addr()}) {
				t.Errorf("the service would start with %+v", j.after(t))
			}
		})
	}
}

func TestATokenIsNotUsedUpInVain(t *testing.T) {
	for name, c := range map[string]struct {
		role    bus.JoinRole
		prepare func(t *testing.T, j *joiner)
		code    fault.Code
	}{
		"for another service": {bus.JoinPump, func(*testing.T, *joiner) {}, "join.role"},
		"other keys": {bus.JoinGateway, func(t *testing.T, j *joiner) {
			if err := testenv.Must(trust.Generate())(t).SaveNode(j.keyDir()); err != nil {
				t.Fatal(err)
			}
		}, "join.keys_exist"},
		"a part of keys":        {bus.JoinGateway, func(t *testing.T, j *joiner) { write(t, filepath.Join(j.keyDir(), "bus.key"), "x") }, "join.keys_exist"},
		"no folder can be made": {bus.JoinGateway, func(t *testing.T, j *joiner) { write(t, filepath.Join(j.dir, "data"), "a file") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJoiner(t)
			c.prepare(t, j)
			token := j.token(t, c.role)
			err := j.run(t, token, false)
			if err == nil || c.code != "" && !fault.Is(err, c.code) {
				t.Fatal(err)
			}
			if _, err := bus.NewHandover(j.s.Client()).Take(t.Context(), testenv.Must(bus.ParseJoinToken(token))(t), "x"); err != nil {
				t.Errorf("the token does not work any more: %v", err)
			}
		})
	}
}

func TestForceReplacesOtherKeys(t *testing.T) {
	j := newJoiner(t)
	if err := testenv.Must(trust.Generate())(t).SaveNode(j.keyDir()); err != nil {
		t.Fatal(err)
	}
	if err := j.run(t, j.token(t, bus.JoinGateway), true); err != nil {
		t.Fatal(err)
	}
	if got := testenv.Must(trust.LoadNode(j.keyDir()))(t); got.Fingerprint() != j.keys.Fingerprint() {
		t.Error("the old keys are still there")
	}
}

func TestAUsedTokenLeavesNothingBehind(t *testing.T) {
	j := newJoiner(t)
	token := j.token(t, bus.JoinGateway)
	if _, err := bus.NewHandover(j.s.Client()).Take(t.Context(), testenv.Must(bus.ParseJoinToken(token))(t), "x"); err != nil {
		t.Fatal(err)
	}
	if err := j.run(t, token, false); !fault.Is(err, "join.used") {
		t.Fatal(err)
	}
	if there := testenv.Must(trust.Present(j.keyDir()))(t); len(there) > 0 {
		t.Error(there)
	}
	if _, err := os.Stat(j.settings.DefaultFile); !errors.Is(err, os.ErrNotExist) {
		t.Error("the settings were written:", err)
	}
}

// TestRootGivesTheKeysToTheService: an operator runs join by sudo, the service as its own user.
func TestRootGivesTheKeysToTheService(t *testing.T) {
	const service = 65534
	j := newJoiner(t)
	if err := os.Mkdir(filepath.Join(j.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := os.Geteuid()
	if want == 0 {
		want = service
		if err := os.Chown(filepath.Join(j.dir, "data"), service, service); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.run(t, j.token(t, bus.JoinGateway), false); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(testenv.Must(trust.Present(j.keyDir()))(t), ".") {
		info := testenv.Must(os.Stat(filepath.Join(j.keyDir(), name)))(t)
		if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != want {
			t.Errorf("%s belongs to %d instead of %d", name, owner, want)
		}
	}
}

func TestForceIsTakenOutOfJoinOnly(t *testing.T) {
	for line, want := range map[string]string{"join --force T --data d": "true join T --data d", "join T": "false join T", "--force": "false --force"} {
		force, rest := join.Flags(strings.Fields(line))
		if got := strings.TrimSpace(map[bool]string{true: "true ", false: "false "}[force] + strings.Join(rest, " ")); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
