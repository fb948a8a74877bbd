package app

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func settings(t *testing.T, redis string) Config {
	c := Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Records.Dir = filepath.Join(c.Data, "records")
	c.Listen.Address = "127.0.0.1:0"
	c.Redis.Addresses = []string{redis}
	c.Shutdown.Timeout = 3 * time.Second
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// running starts a dashboard; stop ends it and returns how it ended.
func running(t *testing.T, c Config) (url string, stop func() error) {
	t.Helper()
	a, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	done := false
	stop = func() error {
		if done {
			return nil
		}
		done = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() { _ = stop() })
	url = "http://" + a.Addr()
	testenv.Eventually(t, 10*time.Second, func() bool { return get(t, url+"/ready", "").status == 200 })
	return url, stop
}

type answer struct {
	status int
	body   string
	header http.Header
}

func call(t *testing.T, method, url, token, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return answer{resp.StatusCode, string(text), resp.Header}
}

func get(t *testing.T, url, token string) answer {
	t.Helper()
	return call(t, "GET", url, token, "")
}

func TestInitIsIdempotent(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	first, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	if first.Login != "admin" || first.PasswordFile != filepath.Join(c.Data, "initial-password") {
		t.Fatalf("got %+v", first)
	}
	password := read(t, first.PasswordFile)
	key := read(t, filepath.Join(c.Data, "keys", "signing.key"))
	info, err := os.Stat(first.PasswordFile)
	must(t, err)
	if info.Mode().Perm() != 0o600 || len(password) < 20 {
		t.Errorf("the password file: %v %q", info.Mode(), password)
	}
	again, err := Init(t.Context(), c, Admin{Login: "other", Password: "never used here"})
	must(t, err)
	if again != first || read(t, first.PasswordFile) != password || read(t, filepath.Join(c.Data, "keys", "signing.key")) != key {
		t.Errorf("a second init changed something: %+v", again)
	}
	must(t, os.Remove(first.PasswordFile))
	_, err = Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	if fresh := read(t, first.PasswordFile); fresh == password || len(fresh) < 20 {
		t.Errorf("a password that was lost before its use is not made again: %q", fresh)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return strings.TrimSpace(string(text))
}

func TestInitWithAPasswordNeedsNoFile(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	made, err := Init(t.Context(), c, Admin{Login: "kim", Password: "a password for tests"})
	must(t, err)
	if made != (Initialised{Login: "kim"}) {
		t.Errorf("got %+v", made)
	}
	if _, err := os.Stat(passwordFile(c)); err == nil {
		t.Error("there is a password file")
	}
	if _, err := Init(t.Context(), settings(t, "127.0.0.1:1"), Admin{Login: "kim", Password: "short"}); err == nil {
		t.Error("a bad password is taken")
	}
}

func TestWithoutInitItSaysWhatToDo(t *testing.T) {
	_, err := New(t.Context(), settings(t, "127.0.0.1:1"), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "sluice-dashboard init") {
		t.Errorf("got %v", err)
	}
}

func TestAWholeDashboard(t *testing.T) {
	c := settings(t, testenv.RedisServer(t).Addr())
	made, err := Init(t.Context(), c, Admin{Login: "admin"})
	must(t, err)
	url, stop := running(t, c)
	token, err := Token(t.Context(), c, NewToken{Name: "beside", Role: people.Operator, TTL: time.Hour})
	must(t, err)

	var hello struct {
		Service, Status string
		Components      map[string]struct{ Status string }
	}
	a := get(t, url+"/hello", "")
	must(t, json.Unmarshal([]byte(a.body), &hello))
	if a.status != 200 || hello.Service != "dashboard" || hello.Status != "pass" || hello.Components["store"].Status != "pass" || hello.Components["redis"].Status != "pass" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for path, want := range map[string]string{"/": "Sluice", "/apis/new": "Sluice", "/live": "live", "/metrics": "sluice_build_info", "/api/v1/openapi.yaml": "openapi: 3.1", "/api/v2": "route.not_found"} {
		if got := get(t, url+path, ""); !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %.200s", path, got.status, got.body)
		}
	}
	if got := call(t, "HEAD", url+"/ready", "", ""); got.status != 200 || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("HEAD /ready: %d %v", got.status, got.header)
	}
	got := call(t, "POST", url+"/api/v1/apis", token, `{"name":"Orders","listen":{"path":"/orders/"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`)
	if got.status != 201 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if got := get(t, url+"/api/v1/publishes/1", token); !strings.Contains(got.body, `"published":true`) {
		t.Errorf("got %s", got.body)
	}
	changePassword(t, url, made)
	if _, err := os.Stat(made.PasswordFile); err == nil {
		t.Error("the file with the one-time password is still there")
	}
	if again, err := Init(t.Context(), c, Admin{Login: "admin"}); err != nil || again.PasswordFile != "" {
		t.Errorf("got %+v, %v", again, err)
	}

	stream, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/v1/events", nil)
	must(t, err)
	stream.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(stream)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") {
		t.Fatalf("got %q, %v", line, err)
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Errorf("stopping with a stream open: %v", err)
	}
	if took := time.Since(began); took > c.Shutdown.Timeout {
		t.Errorf("it took %s", took)
	}
}

func changePassword(t *testing.T, url string, made Initialised) {
	t.Helper()
	in := call(t, "POST", url+"/api/v1/session", "", `{"login":"admin","password":"`+read(t, made.PasswordFile)+`"}`)
	var session struct{ CSRF string }
	must(t, json.Unmarshal([]byte(in.body), &session))
	cookie, _, _ := strings.Cut(in.header.Get("Set-Cookie"), ";")
	out := call(t, "PUT", url+"/api/v1/session/password", "", `{"old":"`+read(t, made.PasswordFile)+`","new":"a password for tests"}`, "Cookie", cookie, "X-CSRF-Token", session.CSRF)
	if out.status != 204 {
		t.Fatalf("got %d %s", out.status, out.body)
	}
}

func TestRedisAwayIsAWarning(t *testing.T) {
	redis := testenv.RedisServer(t)
	c := settings(t, redis.Addr())
	_, err := Init(t.Context(), c, Admin{Login: "admin", Password: "a password for tests"})
	must(t, err)
	redis.Stop()
	url, stop := running(t, c)
	a := get(t, url+"/hello", "")
	if a.status != 200 || !strings.Contains(a.body, `"status":"warn"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	token, err := Token(t.Context(), c, NewToken{Name: "x", Role: people.Operator})
	must(t, err)
	made := call(t, "POST", url+"/api/v1/apis", token, `{"name":"Orders","listen":{"path":"/orders/"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`)
	if made.status != 201 || !strings.Contains(made.body, "publish.pending") {
		t.Errorf("got %d %s", made.status, made.body)
	}
	if got := get(t, url+"/api/v1/gateways", token); got.status != 503 || !strings.Contains(got.body, "fleet.unavailable") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	redis.Start(true)
	testenv.Eventually(t, 20*time.Second, func() bool {
		return strings.Contains(get(t, url+"/api/v1/publishes/1", token).body, `"published":true`)
	})
	must(t, stop())
}

func TestConfiguration(t *testing.T) {
	for _, c := range []struct{ name, env, want string }{
		{"an unknown driver", "STORE_DRIVER=oracle", "store.driver"},
		{"no URL of MongoDB", "STORE_DRIVER=mongodb", "mongodb.url"},
		{"records by an unknown driver", "RECORDS_DRIVER=oracle", "records.driver"},
		{"records in MongoDB without its URL", "RECORDS_DRIVER=mongodb", "mongodb.url"},
		{"records in a database of no name", "RECORDS_DRIVER=mongodb SLUICE_DASHBOARD_MONGODB_URL=mongodb://h SLUICE_DASHBOARD_RECORDS_MONGODB_DATABASE=a.b", "records.mongodb.database"},
		{"a public URL that is none", "PUBLIC_URL=sluice.example.com", "public_url"},
		{"a public URL with a path", "PUBLIC_URL=https://sluice.example.com/console", "public_url"},
		{"a proxy that is no network", "TRUSTED_PROXIES=10.0.0.1", "trusted_proxies"},
		{"no time to stop", "SHUTDOWN_TIMEOUT=0s", "shutdown.timeout"},
		{"a name that is near", "LISTEN_ADRESS=:1", "LISTEN_ADDRESS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := config.Load(Default(), config.Options{Service: "dashboard", Environ: strings.Fields("SLUICE_DASHBOARD_" + c.env), Stdout: io.Discard, DefaultFile: filepath.Join(t.TempDir(), "none.yaml")})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	_, _, err := config.Load(Default(), config.Options{Service: "dashboard", Stdout: io.Discard, DefaultFile: filepath.Join(t.TempDir(), "none.yaml")})
	if err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	nowhere := Default()
	nowhere.Records.Dir = ""
	if err := nowhere.Validate(); err == nil || !strings.Contains(err.Error(), "records.dir") {
		t.Errorf("records in no folder: %v", err)
	}
}
