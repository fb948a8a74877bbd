package logs_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/logs"
)

func TestLevelAndFormat(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Config{Level: "warn", Format: "json"})
	l.Info("hidden")
	l.Warn("seen", "n", 1)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if line["msg"] != "seen" || line["level"] != "WARN" || line["n"] != float64(1) {
		t.Errorf("got %v", line)
	}
	b.Reset()
	logs.New(&b, logs.Config{Format: "text"}).Info("hello")
	if !strings.Contains(b.String(), "level=INFO msg=hello") {
		t.Errorf("text: %s", b.String())
	}
}

func TestLevelChangesWhileInUse(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Default())
	derived := l.With("a", 1).WithGroup("g")
	derived.Debug("hidden")
	if err := logs.SetLevel(l, "DEBUG"); err != nil {
		t.Fatal(err)
	}
	derived.Debug("seen")
	if strings.Contains(b.String(), "hidden") || !strings.Contains(b.String(), "seen") {
		t.Errorf("got %s", b.String())
	}
	if err := logs.SetLevel(l, "loud"); err == nil || !strings.Contains(err.Error(), "use debug, info, warn or error") {
		t.Errorf("got %v", err)
	}
	if err := logs.SetLevel(slog.New(slog.DiscardHandler), "info"); err == nil {
		t.Error("a foreign logger was changed")
	}
}

func TestContextAttributesAreWritten(t *testing.T) {
	var b bytes.Buffer
	l := logs.New(&b, logs.Default())
	ctx := logs.With(t.Context(), slog.String("request_id", "r1"))
	one := logs.With(ctx, slog.String("org", "a"))
	two := logs.With(ctx, slog.String("org", "b"))
	l.InfoContext(one, "x")
	l.InfoContext(two, "y")
	l.Info("z")
	l.InfoContext(two, "own", "request_id", "r1")
	lines := strings.Split(b.String(), "\n")
	if !strings.Contains(lines[0], `"request_id":"r1","org":"a"`) || !strings.Contains(lines[1], `"request_id":"r1","org":"b"`) ||
		strings.Contains(lines[2], "request_id") || strings.Count(lines[3], "request_id") != 1 {
		t.Errorf("got %s", b.String())
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []logs.Config{{}, logs.Default(), {Level: "error", Format: "text"}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	err := logs.Config{Level: "loud", Format: "xml"}.Validate()
	if err == nil || !strings.Contains(err.Error(), "level: ") || !strings.Contains(err.Error(), "format: ") {
		t.Errorf("got %v", err)
	}
}
