package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestReadme runs the README's walk-through as it is written, line by line in one
// shell, on a quickstart with other ports and another folder.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(readme), "<!-- walk-through -->")
	part, _, found := strings.Cut(part, "<!-- /walk-through -->")
	if !found {
		t.Fatal("the README's walk-through has lost its marks")
	}
	q := startQuickstart(t, t.TempDir())
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(part, -1) {
		script.WriteString(block[1] + "echo '--- end of block'\n")
	}
	text := strings.NewReplacer(
		"http://127.0.0.1:3000", q.ready.Dashboard.URL,
		"http://127.0.0.1:8080", q.ready.Gateways[0].URL,
		"$PWD/data", q.ready.Data,
		"bin/sluice-dashboard", platform.Binary("sluice-dashboard"),
	).Replace(script.String())
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.Dir = filepath.Dir(q.ready.Data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	blocks := strings.Split(string(out), "--- end of block\n")
	expect := func(i int, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(blocks[i], w) {
				t.Errorf("block %d lacks %q:\n%s", i+1, w, blocks[i])
			}
		}
	}
	if len(blocks) != 7 {
		t.Fatalf("%d blocks ran, the test knows 6:\n%s", len(blocks)-1, out)
	}
	expect(1, `"id":"health-check"`, `"revision":`)
	expect(2, "HTTP/1.1 200 OK", `"service":"dashboard"`)
	expect(3, "api.path_taken", "Health check")
	expect(5, `"refusal":"auth.`, `"status":401`)
	codes := regexp.MustCompile(`(?m)^\d{3}$`).FindAllString(blocks[4], -1)
	if !slices.Equal(codes, []string{"401", "200", "401"}) {
		t.Errorf("the key's life is %v, want 401 200 401:\n%s", codes, blocks[4])
	}
}

// TestReadmeNamesWhatExists checks every link of the README into the tree.
func TestReadmeNamesWhatExists(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(readme), -1)
	if len(links) < 10 {
		t.Fatalf("only %d links found", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join("../..", l[1])); err != nil {
			t.Error(fmt.Errorf("the README names %s: %w", l[1], err))
		}
	}
}
