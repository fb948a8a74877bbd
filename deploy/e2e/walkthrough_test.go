package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/client"
	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// ready is the quickstart's ready file.
type ready struct {
	Dashboard          node
	Gateways           []node
	Pump               *node
	Redis              struct{ PID int }
	Login, Curl        string
	PasswordFile, Data string
}

type node struct {
	URL, Admin string
	PID        int
}

func (r ready) pids() []int {
	pids := []int{r.Dashboard.PID, r.Redis.PID}
	for _, g := range r.Gateways {
		pids = append(pids, g.PID)
	}
	if r.Pump != nil {
		pids = append(pids, r.Pump.PID)
	}
	return pids
}

// quickstart is one run of the command that a newcomer starts.
type quickstart struct {
	*platform.Proc
	ready ready
}

func quickstartProc(t *testing.T, data string, args ...string) *platform.Proc {
	t.Helper()
	args = append([]string{
		"--dashboard-port", "0", "--gateway-port", "0", "--pump-port", "0", "--data", data, "--ready-file", filepath.Join(t.TempDir(), "ready.json"),
	}, args...)
	p := platform.NewProc(t.TempDir(), "quickstart", platform.Binary("sluice-quickstart"), args, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Tail(60))
		}
		if p.Running() {
			_ = p.Stop(8 * time.Second) // its children end before it, so nothing writes to the folder any more
		}
		p.Kill()
	})
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// startQuickstart starts it and waits for the ready file.
func startQuickstart(t *testing.T, data string, args ...string) *quickstart {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ready.json")
	q := &quickstart{Proc: quickstartProc(t, data, append(args, "--ready-file", file)...)}
	testenv.EventuallyNoError(t, time.Minute, func() error {
		if !q.Running() {
			t.Fatalf("the quickstart ended:\n%s", q.Tail(40))
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &q.ready)
	})
	return q
}

// interrupt is Ctrl-C: everything must end within 5 s.
func (q *quickstart) interrupt(t *testing.T) {
	t.Helper()
	began := time.Now()
	if err := q.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-q.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("Ctrl-C did not end the quickstart within 10 s")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Ctrl-C took %s, more than 5 s", took)
	}
	for _, pid := range q.ready.pids() {
		if pid != 0 && syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is left behind", pid)
		}
	}
}

// fetch is what a person's curl does.
func fetch(t *testing.T, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestWalkThrough is the product's walk-through by REST, on the one command that a newcomer starts.
func TestWalkThrough(t *testing.T) {
	ctx, data := t.Context(), t.TempDir()
	q := startQuickstart(t, data, "--gateways", "2")
	r := q.ready
	gateway := r.Gateways[0].URL

	password := strings.TrimSpace(string(testenv.Must(os.ReadFile(r.PasswordFile))(t)))
	c := client.New(r.Dashboard.URL)
	if err := c.SignIn(ctx, r.Login, "wrong"+password); client.Status(err) != 401 {
		t.Errorf("a wrong password: %v, want 401", err)
	}
	if err := c.SignIn(ctx, r.Login, password); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(ctx, "/apis", nil); client.Status(err) != 403 {
		t.Errorf("with the one-time password: %v, want 403 until it is changed", err)
	}
	const chosen = "a long enough sentence"
	if err := c.Put(ctx, "/session/password", map[string]string{"old": password, "new": chosen}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.PasswordFile); err == nil {
		t.Error("the file with the one-time password is still there")
	}
	if err := c.SignIn(ctx, r.Login, chosen); err != nil {
		t.Fatal(err)
	}

	saved, err := c.Create(ctx, "apis", definition("Health check", "/test_health_check/", r.Dashboard.URL, map[string]any{"open": true}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AwaitApplied(ctx, saved.Revision, 2, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, gateway+"/test_health_check/hello")
	var hello struct{ Service, Status string }
	if err := json.Unmarshal([]byte(body), &hello); err != nil || status != 200 || hello.Service != "dashboard" || hello.Status != "pass" {
		t.Fatalf("hello through the gateway: %d %s, want the dashboard's health document", status, body)
	}

	_, err = c.Create(ctx, "apis", definition("Another", "/test_health_check", r.Dashboard.URL, map[string]any{"open": true}))
	if client.Status(err) < 400 || !strings.Contains(err.Error(), "Health check") {
		t.Errorf("a second API on the path: %v, want it refused with the name of the first", err)
	}
	keyed(t, c, r)
	recorded(t, c, gateway)
	q.interrupt(t)

	// the same port, since the API's upstream is the dashboard
	port := r.Dashboard.URL[strings.LastIndexByte(r.Dashboard.URL, ':')+1:]
	again := startQuickstart(t, data, "--gateways", "2", "--dashboard-port", port)
	c = client.New(again.ready.Dashboard.URL)
	if err := c.SignIn(ctx, again.ready.Login, chosen); err != nil {
		t.Errorf("after a second start: %v", err)
	}
	if o, err := c.Object(ctx, "apis", "health-check"); err != nil || o.Meta.Revision != saved.Revision {
		t.Errorf("after a second start the API is %+v, %v", o.Meta, err)
	}
	testenv.EventuallyNoError(t, 10*time.Second, func() error {
		if status, body := fetch(t, again.ready.Gateways[1].URL+"/test_health_check/hello"); status != 200 {
			return fmt.Errorf("after a second start the API answers %d %s", status, body)
		}
		return nil
	})
	again.interrupt(t)
}

// keyed walks through an API with keys.
func keyed(t *testing.T, c *client.Client, r ready) {
	ctx, url := t.Context(), r.Gateways[0].URL+"/keyed/hello"
	saved := testenv.Must(c.Create(ctx, "apis", definition("Keyed", "/keyed/", r.Dashboard.URL, map[string]any{"any": []any{map[string]any{"key": map[string]any{}}}})))(t)
	if _, err := c.AwaitApplied(ctx, saved.Revision, 2, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if status, body := fetch(t, url); status != 401 {
		t.Errorf("without a key: %d %s, want 401", status, body)
	}
	key := testenv.Must(c.CreateKey(ctx, map[string]any{"alias": "kim", "rights": []any{map[string]string{"api": "keyed"}}}))(t)
	if status, body := fetch(t, url, "Authorization", key.Secret); status != 200 {
		t.Errorf("with a key: %d %s, want 200", status, body)
	}
	if err := c.RevokeKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	for _, g := range r.Gateways {
		testenv.EventuallyNoError(t, time.Second, func() error {
			if status, body := fetch(t, g.URL+"/keyed/hello", "Authorization", key.Secret); status != 401 {
				return fmt.Errorf("with a revoked key: %d %s, want 401 within 1 s", status, body)
			}
			return nil
		})
	}
}

// recorded finds a request among the records 3 s after it was answered, whether an API took it or not,
// and reads all of it.
func recorded(t *testing.T, c *client.Client, gateway string) {
	for _, want := range []struct {
		path   string
		status int
		api    string
	}{{"/test_health_check/live", 200, "health-check"}, {"/of-no-api", 404, ""}} {
		if status, body := fetch(t, gateway+want.path); status != want.status {
			t.Errorf("%s: %d %s, want %d", want.path, status, body, want.status)
		}
		answered := time.Now()
		type request struct {
			ID, Path, Method string
			Status           int
			API              *struct{ ID string }
		}
		var found struct{ Items []request }
		testenv.EventuallyNoError(t, 3*time.Second, func() error {
			err := c.Get(t.Context(), "/requests?path="+want.path, &found)
			if err == nil && len(found.Items) != 1 {
				err = fmt.Errorf("%s stands %d times among the requests, want once", want.path, len(found.Items))
			}
			return err
		})
		t.Logf("%s was among the requests after %s", want.path, time.Since(answered).Round(time.Millisecond))
		var one request
		if err := c.Get(t.Context(), "/requests/"+found.Items[0].ID, &one); err != nil {
			t.Fatal(err)
		}
		if one.Path != want.path || one.Status != want.status || one.Method != "GET" || (one.API != nil) != (want.api != "") || one.API != nil && one.API.ID != want.api {
			t.Errorf("the request is %+v, want %+v", one, want)
		}
	}
}

// definition is an API on 127.0.0.1.
func definition(name, path, upstream string, auth any) map[string]any {
	return map[string]any{
		"name": name, "listen": map[string]any{"domains": []string{"127.0.0.1"}, "path": path},
		"upstream": map[string]any{"targets": []any{map[string]string{"url": upstream}}}, "filters": map[string]any{"auth": auth},
	}
}

func TestQuickstartSaysWhatToMend(t *testing.T) {
	held := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer func() { _ = held.Close() }()
	taken := strconv.Itoa(held.Addr().(*net.TCPAddr).Port)
	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := t.TempDir()
	running := startQuickstart(t, locked)
	for name, c := range map[string]struct {
		data string
		args []string
		want []string
	}{
		"a port in use":        {t.TempDir(), []string{"--dashboard-port", taken}, []string{taken, "in use", "--dashboard-port"}},
		"an unwritable folder": {filepath.Join(file, "data"), nil, []string{"--data"}},
		"a folder in use":      {locked, nil, []string{locked, "--data"}},
		"too many gateways":    {t.TempDir(), []string{"--gateways", "12"}, []string{"--gateways", "12"}},
		"an unknown flag":      {t.TempDir(), []string{"--gatways", "2"}, []string{"--gatways"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := quickstartProc(t, c.data, c.args...)
			select {
			case <-p.Exited():
			case <-time.After(20 * time.Second):
				t.Fatal("it goes on")
			}
			said := p.Tail(50)
			if strings.Count(said, "\n") > 0 {
				t.Errorf("it says more than a sentence:\n%s", said)
			}
			for _, word := range c.want {
				if !strings.Contains(said, word) {
					t.Errorf("it says %q, without %q", said, word)
				}
			}
		})
	}
	running.interrupt(t)
}
