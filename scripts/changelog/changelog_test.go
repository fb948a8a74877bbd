package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "unreleased"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAReleaseGoesOnTopAndEmptiesTheFolder(t *testing.T) {
	dir := folder(t, map[string]string{
		"unreleased/b.md": "fixed: a second\n  line joins it\n", "unreleased/a.md": "added: geoip", "unreleased/c.md": "added: nats",
	})
	if err := release(dir, "v0.1.0", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "unreleased/d.md"), []byte("security: a hole"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := release(dir, "v0.2.0", time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := `# Changelog

## v0.2.0 (2026-02-03)

### Security

- a hole

## v0.1.0 (2026-01-02)

### Added

- geoip
- nats

### Fixed

- a second line joins it
`
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "unreleased", "*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestWhatIsNoReleaseIsRefused(t *testing.T) {
	good := map[string]string{"unreleased/a.md": "added: x"}
	for name, c := range map[string]struct {
		files   map[string]string
		version string
		want    string
	}{
		"version":   {good, "0.1", "not a version"},
		"nothing":   {nil, "v0.1.0", "nothing"},
		"kind":      {map[string]string{"unreleased/a.md": "new: x"}, "v0.1.0", "a.md: begin with"},
		"no text":   {map[string]string{"unreleased/a.md": "added:"}, "v0.1.0", "a.md: begin with"},
		"the twice": {map[string]string{"unreleased/a.md": "added: x", "CHANGELOG.md": "# Changelog\n\n## v0.1.0 (2026-01-01)\n"}, "v0.1.0", "already"},
	} {
		if err := release(folder(t, c.files), c.version, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestThePreviewChangesNothing(t *testing.T) {
	dir := folder(t, map[string]string{"unreleased/a.md": "added: x"})
	text, err := preview(dir)
	if err != nil || text != "\n### Added\n\n- x\n" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "unreleased/a.md")); err != nil {
		t.Error(err)
	}
}
