// Package logs makes the structured log of a process: one line per event, as
// JSON for machines or as text for people, on standard output or wherever the
// writer leads.
package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// Config says what is logged and how.
type Config struct {
	// Least important level that is written: debug, info, warn or error.
	Level string `config:"level"`
	// json (one object per line) or text (key=value).
	Format string `config:"format"`
}

// Default writes JSON from level info on.
func Default() Config { return Config{Level: "info", Format: "json"} }

// Validate refuses an unknown level or format. Empty ones stand for the default.
func (c Config) Validate() error {
	var errs []error
	if _, err := parseLevel(c.Level); err != nil {
		errs = append(errs, fmt.Errorf("level: %w", err))
	}
	switch c.Format {
	case "", "json", "text":
	default:
		errs = append(errs, fmt.Errorf("format: %q is not known: use json or text", c.Format))
	}
	return errors.Join(errs...)
}

// New makes a logger that writes to w. What Validate refuses is taken as the
// default. Attributes that With put into a context are written too.
func New(w io.Writer, c Config) *slog.Logger {
	level := new(slog.LevelVar)
	if l, err := parseLevel(c.Level); err == nil {
		level.Set(l)
	}
	o := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(w, o)
	if c.Format == "text" {
		h = slog.NewTextHandler(w, o)
	}
	return slog.New(&handler{next: h, level: level})
}

// SetLevel changes the level of a logger that New made, and of all that were
// derived from it, while it is in use.
func SetLevel(l *slog.Logger, level string) error {
	v, err := parseLevel(level)
	if err != nil {
		return err
	}
	h, ok := l.Handler().(*handler)
	if !ok {
		return errors.New("the logger was not made by this package")
	}
	h.level.Set(v)
	return nil
}

func parseLevel(s string) (slog.Level, error) {
	switch strings.ToLower(s) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%q is not known: use debug, info, warn or error", s)
}

type contextKey struct{}

// With returns a context whose attributes every line logged with it carries,
// such as a request's id. Attributes of an outer With come first.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	outer, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return context.WithValue(ctx, contextKey{}, append(slices.Clip(outer), attrs...))
}

// handler adds a context's attributes and knows the level's variable.
type handler struct {
	next  slog.Handler
	level *slog.LevelVar
}

var _ slog.Handler = (*handler)(nil)

// Enabled tells whether lines of that level are written.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle writes one line.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, ok := ctx.Value(contextKey{}).([]slog.Attr); ok {
		said := map[string]bool{} // by the line itself; JSON readers trip over a name that stands twice
		r.Attrs(func(a slog.Attr) bool { said[a.Key] = true; return true })
		r = r.Clone()
		for _, a := range attrs {
			if !said[a.Key] {
				r.AddAttrs(a)
			}
		}
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs derives a handler whose lines carry the attributes.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{next: h.next.WithAttrs(attrs), level: h.level}
}

// WithGroup derives a handler that nests later attributes under a name.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name), level: h.level}
}
