package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write the golden files")

// tree writes the fixture into a folder and returns it.
func tree(t *testing.T, without ...string) string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/tree.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range archive.Files {
		if slices.ContainsFunc(without, func(w string) bool { return strings.HasPrefix(f.Name, w) }) {
			continue
		}
		name := filepath.Join(root, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestEverythingIsGeneratedFromTheFixture(t *testing.T) {
	root := tree(t)
	var said []string
	changed, err := generate(root, steps(), false, func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	want := []string{
		"pkg/apidef/schema.json", "pkg/apidef/catalog.json", "gateway/filter/cors/README.md", "gateway/CONFIG.md",
		"deploy/config/gateway.yaml", "pkg/fault/CODES.md", "web/src/api/schema.ts",
	}
	if !slices.Equal(changed, want) {
		t.Errorf("generated %v, want %v", changed, want)
	}
	for _, name := range want {
		golden(t, root, name)
	}
	again, err := generate(root, steps(), false, func(string) {})
	if err != nil || len(again) > 0 {
		t.Errorf("a second run changed %v (%v)", again, err)
	}
}

func golden(t *testing.T, root, name string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "golden", strings.ReplaceAll(name, "/", "_"))
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not %s:\n%s", name, file, got)
	}
}

func TestCheckWritesNothingAndNamesTheFiles(t *testing.T) {
	root := tree(t)
	only := []step{{"schema", definitionSchema}}
	changed, err := generate(root, only, true, func(string) {})
	if err != nil || !slices.Equal(changed, []string{"pkg/apidef/schema.json"}) {
		t.Errorf("changed %v (%v)", changed, err)
	}
	if _, err := os.Stat(filepath.Join(root, "pkg/apidef/schema.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("-check wrote the file (%v)", err)
	}
}

func TestASourceThatDoesNotExistIsSkippedAndSaid(t *testing.T) {
	root := tree(t, "gateway/app", "gateway/chain", "dashboard", "pkg/apidef")
	var said strings.Builder
	changed, err := generate(root, steps(), false, func(s string) { said.WriteString(s + "\n") })
	if err != nil || !slices.Equal(changed, []string{"pkg/fault/CODES.md"}) {
		t.Errorf("changed %v (%v)", changed, err)
	}
	if n := strings.Count(said.String(), "its source does not exist"); n != 8 {
		t.Errorf("%d steps said that their source is not there, want 8:\n%s", n, &said)
	}
}

func TestASampleIsYAMLOfTheDefaultsOnceUncommented(t *testing.T) {
	root := tree(t)
	src, err := openSource(root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := configuration(src, "gateway")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(files[1].Text)) {
		if rest, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(strings.TrimSpace(line), "##") {
			b.WriteString(rest)
		}
	}
	var got struct {
		Listen string
		Redis  struct {
			Addresses []string
			Tries     int
		}
	}
	if err := yaml.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	if got.Listen != ":80" || !slices.Equal(got.Redis.Addresses, []string{"a:1", "b:2"}) || got.Redis.Tries != 3 {
		t.Errorf("the sample sets %+v", got)
	}
}

func TestMistakesInTagsAreErrors(t *testing.T) {
	for tag, kind := range map[string]string{
		"minimum=1": "integer", "min=x": "integer", "max=1": "boolean", "maxItems=1": "string", "minLength=1.5": "string", "pattern=(": "string",
	} {
		if _, err := constrain(&schema{Type: kind}, tag); err == nil {
			t.Errorf("schema:%q on %s was accepted", tag, kind)
		}
	}
}

func TestAnUnknownFilterInAREADMEIsAnError(t *testing.T) {
	_, err := fillOptions("<!-- options: nope -->\n<!-- /options -->", "", nil)
	if err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("got %v", err)
	}
}

func TestAReferenceThatIsNotInTheDocumentIsAnError(t *testing.T) {
	_, err := typescript([]byte("components: {schemas: {A: {$ref: '#/components/schemas/B'}}}"))
	if err == nil || !strings.Contains(err.Error(), "B is not in the document") {
		t.Errorf("got %v", err)
	}
}
