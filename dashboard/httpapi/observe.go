package httpapi

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/logs"
)

// envelope is around every answer: its id, headers that keep browsers from
// guessing and caching, its time in the log.
func (a *api) envelope(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := rand.Text()
		ctx := logs.With(httpd.WithRequestID(r.Context(), id), slog.String("request_id", id))
		h := w.Header()
		h.Set("X-Request-Id", id)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if a.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		// Without a deadline a client that does not read would hold its answer for ever.
		_ = http.NewResponseController(w).SetWriteDeadline(start.Add(answerTimeout))
		o := &observed{ResponseWriter: w}
		r = r.WithContext(context.WithValue(ctx, noteKey{}, &requestNote{}))
		defer func() { a.finish(o, r, start) }()
		next.ServeHTTP(o, r)
	})
}

// finish answers for a handler that panicked, and tells how the request went.
func (a *api) finish(o *observed, r *http.Request, start time.Time) {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler {
			panic(p)
		}
		a.Log.ErrorContext(r.Context(), "a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p)
		if o.status == 0 {
			a.refuse(o, r, fault.New(fault.Internal, httpd.InternalCode, "a handler panicked"))
		}
	}
	took := time.Since(start)
	pattern := "none"
	// The last one is the route's own: this router is behind another one's wildcard.
	if c := chi.RouteContext(r.Context()); c != nil && len(c.RoutePatterns) > 0 {
		if own := c.RoutePatterns[len(c.RoutePatterns)-1]; !strings.HasSuffix(own, "*") {
			pattern = own
		}
	}
	if a.Observe != nil {
		a.Observe(r.Method, pattern, o.status, took)
	}
	n := note(r)
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", o.status),
		slog.Int64("ms", took.Milliseconds()), slog.String("client", a.clientAddress(r)),
	}
	for _, at := range []struct{ name, value string }{{"caller", n.caller}, {"login", n.login}, {"code", string(n.code)}} {
		if at.value != "" {
			attrs = append(attrs, slog.String(at.name, at.value))
		}
	}
	a.Log.LogAttrs(r.Context(), n.level(r.Method), "request", attrs...)
}

// requestNote is what handlers find out about a request for its line in the log.
type requestNote struct {
	caller string     // id of the user or of the API token; never a secret
	login  string     // that a sign-in named
	code   fault.Code // of the problem that was answered
}

type noteKey struct{}

// note is the request's note; outside of envelope it is one that nobody reads.
func note(r *http.Request) *requestNote {
	if n, ok := r.Context().Value(noteKey{}).(*requestNote); ok {
		return n
	}
	return &requestNote{}
}

// level makes wrong passwords and lockouts warnings, and tells of changes and of
// callers that were turned away; what is merely read is for debugging.
func (n *requestNote) level(method string) slog.Level {
	switch {
	case n.login != "" && n.code != "" || n.code == "auth.locked" || n.code == "people.password_wrong":
		return slog.LevelWarn
	case !safe(method) || strings.HasPrefix(string(n.code), "auth."):
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// observed remembers the status of an answer.
type observed struct {
	http.ResponseWriter
	status int
}

// WriteHeader writes the head.
func (o *observed) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write writes a part of the body.
func (o *observed) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	return o.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }
