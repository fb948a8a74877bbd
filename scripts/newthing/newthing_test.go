package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const order = `package chain

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/rights"
)

func Order(d Deps) []filter.Spec {
	return []filter.Spec{
		// authorise: a caller who may not
		// consumes nothing.
		rights.Spec(),

		// record: the end.
		errorbody.Spec(),
	}
}
`

const catalog = `package catalog

import (
	"context"

	"github.com/sluice-gateway/sluice/pump/sink"
)

type Options struct {
	// options end
}

func List() []Kind {
	return []Kind{
		// sinks end
	}
}
`

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAFilterGetsFilesAndItsLineInTheStage(t *testing.T) {
	for stage, before := range map[string]string{"authorise": "\t\trights.Spec(),\n", "record": "\t\terrorbody.Spec(),\n"} {
		root := tree(t, map[string]string{"gateway/chain/order.go": order})
		if err := run(root, []string{"filter", "geoip", stage}, func(string) {}); err != nil {
			t.Fatal(err)
		}
		got := read(t, root, "gateway/chain/order.go")
		if !strings.Contains(got, before+"\t\tgeoip.Spec(),\n") || !strings.Contains(got, "gateway/filter/geoip\"") {
			t.Errorf("stage %s:\n%s", stage, got)
		}
		for _, name := range []string{"gateway/filter/geoip/geoip.go", "gateway/filter/geoip/geoip_test.go", "gateway/filter/geoip/README.md", "scripts/changelog/unreleased/filter-geoip.md"} {
			if text := read(t, root, name); !strings.Contains(text, "geoip") || strings.Contains(text, "[[") {
				t.Errorf("%s:\n%s", name, text)
			}
		}
	}
}

func TestASinkAndAPageGoBeforeTheEndOfTheirLists(t *testing.T) {
	root := tree(t, map[string]string{
		"pump/catalog/catalog.go": catalog,
		"web/src/routes.tsx":      "export const routes = [\n  // routes end\n]\n",
	})
	for _, args := range [][]string{{"sink", "nats"}, {"page", "Reports"}} {
		if err := run(root, args, func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, root, "pump/catalog/catalog.go")
	for _, want := range []string{
		"\tNats nats.Config `config:\"nats\"`\n\t// options end", "(ctx, o.Nats, env)\n\t\t}},\n\t\t// sinks end", "pump/sink/nats\"",
		"{\"nats\", false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := read(t, root, "web/src/routes.tsx"); !strings.Contains(got, "import('./pages/reports/Reports') },\n  // routes end") {
		t.Error(got)
	}
	read(t, root, "web/src/pages/reports/Reports.test.tsx")
	read(t, root, "pump/sink/nats/nats.go")
}

// TestANewSinkFitsTheCatalogThatThereIs enters one into the real list and compiles it.
func TestANewSinkFitsTheCatalogThatThereIs(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	copied := tree(t, map[string]string{"pump/catalog/catalog.go": read(t, root, "pump/catalog/catalog.go")})
	if err := run(copied, []string{"sink", "brandnew"}, func(string) {}); err != nil {
		t.Fatal(err)
	}
	replaced := map[string]string{}
	for _, name := range []string{"pump/catalog/catalog.go", "pump/sink/brandnew/brandnew.go", "pump/sink/brandnew/brandnew_test.go"} {
		replaced[filepath.Join(root, name)] = filepath.Join(copied, name)
	}
	text, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(copied, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"build", "-overlay", overlay, "./catalog"}, {"test", "-vet=off", "-overlay", overlay, "-c", "-o", filepath.Join(copied, "brandnew.test"), "./sink/brandnew"}} {
		build := exec.CommandContext(t.Context(), "go", args...)
		build.Dir = filepath.Join(root, "pump")
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", args[0], err, out)
		}
	}
}

func TestWithoutAPlaceInTheListTheLineIsSaid(t *testing.T) {
	root := tree(t, map[string]string{"gateway/chain/order.go": order})
	var said strings.Builder
	if err := run(root, []string{"filter", "geoip", "limit"}, func(s string) { said.WriteString(s) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "geoip.Spec()") || read(t, root, "gateway/chain/order.go") != order {
		t.Error(said.String())
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	root := tree(t, map[string]string{"gateway/chain/order.go": order, "gateway/filter/geoip/README.md": "mine"})
	err := run(root, []string{"filter", "geoip", "record"}, func(string) {})
	if err == nil || read(t, root, "gateway/filter/geoip/README.md") != "mine" || read(t, root, "gateway/chain/order.go") != order {
		t.Errorf("got %v", err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	for _, args := range [][]string{{}, {"thing", "x"}, {"filter", "geoip"}, {"filter", "Geo", "limit"}, {"filter", "../x", "limit"}, {"filter", "geoip", "nowhere"}, {"sink", ""}, {"page", "reports"}} {
		if err := run(t.TempDir(), args, func(string) {}); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
