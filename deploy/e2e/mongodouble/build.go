package mongodouble

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// source is the Maven project of the launcher, so that a build needs no path of a checkout.
//
//go:embed java/pom.xml java/src
var source embed.FS

// ErrTool says that Java or Maven is not on PATH; a test may skip on it, and names what is missing.
var ErrTool = errors.New("mongodouble needs java and mvn on PATH (Debian: default-jre-headless, maven)")

// build returns the jar of the launcher below cache, building it with Maven if this version of the
// source was not built there before. Concurrent builds are harmless: the first to finish wins.
func build(ctx context.Context, cache string) (string, error) {
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%w: %s is missing", ErrTool, tool)
		}
	}
	sum, err := hashSource()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "mongodouble-"+sum[:12])
	jar := filepath.Join(home, "target", "mongodouble.jar")
	if _, err := os.Stat(jar); err == nil {
		return jar, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	scratch, err := os.MkdirTemp(cache, "mongodouble-build-")
	if err != nil {
		return "", fmt.Errorf("making a build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	project, err := fs.Sub(source, "java")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(scratch, project); err != nil {
		return "", fmt.Errorf("writing the Maven project: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "package")
	cmd.Dir = scratch
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the jar with mvn: %w\n%s", err, out)
	}
	if err := os.Rename(scratch, home); err != nil {
		if _, statErr := os.Stat(jar); statErr != nil {
			return "", fmt.Errorf("moving the jar into place: %w", err)
		}
	}
	return jar, nil
}

func hashSource() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := source.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n", path, len(text))
		h.Write(text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the embedded Maven project: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// cacheDir is bin/ of the checkout that the working directory lies in (ignored by git), or the
// system's temporary folder when there is none.
func cacheDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return os.TempDir()
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return filepath.Join(dir, "bin")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return os.TempDir()
		}
		dir = parent
	}
}
