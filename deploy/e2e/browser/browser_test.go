package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// stepsWithin bounds all steps together.
const stepsWithin = 20 * time.Minute

func TestMain(m *testing.M) { os.Exit(platform.Main(m)) }

// outcome is a line that web/browser/run.mjs prints for each step.
type outcome struct {
	Step  string `json:"step"`
	MS    int64  `json:"ms"`
	Error string `json:"error"`
}

// TestConsole runs every step, or those whose name has SLUICE_STEPS in it. SLUICE_SHOTS names a folder
// for the pictures; without it there are none but in a temporary one.
func TestConsole(t *testing.T) {
	web, err := filepath.Abs("../../../web")
	if err != nil {
		t.Fatal(err)
	}
	chromium := find(t, "chromium", "SLUICE_CHROMIUM", "chromium", "chromium-browser", "google-chrome")
	node := find(t, "node", "SLUICE_NODE", "node")
	if _, err := os.Stat(filepath.Join(web, "node_modules", "playwright-core")); err != nil {
		testenv.Missing(t, "console", "run `make console`, which installs what drives the browser")
	}

	p := platform.For(t, platform.Options{Gateways: []string{"default", "default", "default"}, Pumps: 1})
	up := platform.NewUpstream("upstream")
	defer up.Close()
	var gateways []string
	for _, g := range p.Gateways {
		gateways = append(gateways, g.URL)
	}
	shots := os.Getenv("SLUICE_SHOTS")
	pictures := "1"
	if shots == "" {
		shots, pictures = t.TempDir(), "0"
	}

	ctx, stop := context.WithTimeout(t.Context(), stepsWithin)
	defer stop()
	cmd := exec.CommandContext(ctx, node, filepath.Join(web, "browser", "run.mjs"))
	cmd.Dir = web
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "SLUICE_CONTROL="+controlled(t),
		"SLUICE_CHROMIUM="+chromium, "SLUICE_CONSOLE_URL="+p.Dashboards[0].URL, "SLUICE_LOGIN="+p.Login, "SLUICE_PASSWORD="+p.Password,
		"SLUICE_UPSTREAM="+up.URL, "SLUICE_GATEWAYS="+strings.Join(gateways, ","), "SLUICE_SHOTS="+shots, "SLUICE_PICTURES="+pictures)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	steps := 0
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o outcome
		if json.Unmarshal(lines.Bytes(), &o) != nil || o.Step == "" {
			t.Log(lines.Text())
			continue
		}
		steps++
		t.Run(o.Step, func(t *testing.T) {
			t.Logf("%d ms", o.MS)
			if o.Error != "" {
				t.Error(o.Error)
			}
		})
	}
	err = cmd.Wait()
	if steps == 0 || (err != nil && !t.Failed()) {
		t.Errorf("%d steps were run: %v", steps, err)
	}
}

// controlled is where steps get platforms of their own; see control.
func controlled(t *testing.T) string {
	t.Helper()
	c := newControl(t.Context(), t.TempDir())
	server := httptest.NewServer(c.handler())
	t.Cleanup(func() {
		server.Close()
		if t.Failed() {
			t.Log(c.logs())
		}
		if err := c.close(); err != nil && !t.Failed() {
			t.Errorf("at the end: %v", err)
		}
	})
	return server.URL
}

// find is the path of a program: what the environment says, or the first of the names that is on PATH.
func find(t *testing.T, what, variable string, names ...string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	testenv.Missing(t, what, "install "+names[0]+", or say where it is by "+variable)
	return ""
}
