package spa

import (
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestServing(t *testing.T) {
	built := fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html><title>Sluice</title>")},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/main-1a2b.js":  {Data: []byte("let a")},
		"assets/main-1a2b.css": {Data: []byte("a{}")},
	}
	h, err := New(built)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		cache, kind  string
		body         string
	}{
		{"GET", "/", 200, "no-cache", "text/html; charset=utf-8", "<title>Sluice"},
		{"GET", "/index.html", 200, "no-cache", "text/html; charset=utf-8", "<title>Sluice"},
		{"GET", "/apis/orders/designer", 200, "no-cache", "text/html; charset=utf-8", "<title>Sluice"},
		{"GET", "/revisions/128..129", 200, "no-cache", "text/html; charset=utf-8", "<title>Sluice"},
		{"GET", "/../../etc/passwd", 200, "no-cache", "text/html; charset=utf-8", "<title>Sluice"},
		{"GET", "/assets/main-1a2b.js", 200, "public, max-age=31536000, immutable", "text/javascript; charset=utf-8", "let a"},
		{"GET", "/assets/main-1a2b.css", 200, "public, max-age=31536000, immutable", "text/css; charset=utf-8", "a{}"},
		{"GET", "/favicon.svg", 200, "no-cache", "image/svg+xml", "<svg/>"},
		{"GET", "/assets/main-old.js", 404, "no-store", "text/plain; charset=utf-8", "no such file"},
		{"GET", "/assets/", 404, "no-store", "text/plain; charset=utf-8", "no such file"},
		{"GET", "/robots.txt", 404, "no-store", "text/plain; charset=utf-8", "no such file"},
		{"HEAD", "/", 200, "no-cache", "text/html; charset=utf-8", ""},
		{"POST", "/", 405, "", "text/plain; charset=utf-8", "only GET"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		got := w.Header()
		if w.Code != c.status || got.Get("Cache-Control") != c.cache || got.Get("Content-Type") != c.kind || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, w.Code, got, w.Body)
		}
		if csp := got.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") || strings.Contains(csp, "unsafe") || got.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v", c.method, c.path, got)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	again := httptest.NewRequest("GET", "/", nil)
	again.Header.Set("If-None-Match", w.Header().Get("Etag"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, again)
	if w.Code != 304 {
		t.Errorf("an unchanged page is sent again: %d", w.Code)
	}
}

func TestFilesAreSentCompressedToWhoTakesThem(t *testing.T) {
	h, err := New(fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>")}, "index.html.br": {Data: []byte("page, br")}, "index.html.gz": {Data: []byte("page, gzip")},
		".vite/manifest.json": {Data: []byte("{}")}, "assets/a.js": {Data: []byte("let a")}, "assets/a.js.gz": {Data: []byte("a, gzip")},
	})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]bool{}
	for _, c := range []struct{ path, accept, coding, body string }{
		{"/", "", "", "<!doctype html>"},
		{"/", "identity", "", "<!doctype html>"},
		{"/", "gzip, deflate, br", "br", "page, br"},
		{"/apis/orders", "gzip", "gzip", "page, gzip"},
		{"/", "br;q=0, gzip;q=0.5", "gzip", "page, gzip"},
		{"/", "BR", "br", "page, br"},
		{"/", "br;q=nonsense", "", "<!doctype html>"},
		{"/", "*", "br", "page, br"},
		{"/", "*;q=0", "", "<!doctype html>"},
		{"/", "br;q=0, *", "gzip", "page, gzip"},
		{"/assets/a.js", "br, gzip", "gzip", "a, gzip"},
		{"/assets/a.js", "br", "", "let a"},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Encoding") != c.coding || w.Body.String() != c.body || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s for %q: %d %v %s", c.path, c.accept, w.Code, w.Header(), w.Body)
		}
		if kind := w.Header().Get("Content-Type"); strings.HasPrefix(c.path, "/assets") != strings.HasPrefix(kind, "text/javascript") {
			t.Errorf("%s for %q is %s", c.path, c.accept, kind)
		}
		tags[w.Header().Get("Etag")] = true
	}
	if len(tags) != 5 {
		t.Errorf("5 forms have the entity tags %v", tags)
	}
	for _, path := range []string{"/index.html.br", "/assets/a.js.gz", "/.gitkeep", "/.vite/manifest.json"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("%s is answered with %d", path, w.Code)
		}
	}
}

func TestAConsoleThatIsNotBuiltSaysSo(t *testing.T) {
	h, err := New(fstest.MapFS{".gitkeep": {}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200},
		{"HEAD", "/", 200},
		{"GET", "//", 200},
		{"GET", "/apis", 404},
		{"HEAD", "/apis", 404},
		{"GET", "/index.html", 404},
		{"GET", "/.gitkeep", 404},
		{"POST", "/", 405},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, "http://localhost"+c.path, nil))
		if w.Code != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, w.Code)
		}
		if c.method == "POST" {
			continue
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Content-Length") == "" {
			t.Errorf("%s %s: %v", c.method, c.path, w.Header())
		}
		for _, part := range []string{"The console is not built", "This build of the dashboard has no console", "<code>/api/v1</code>", "/api/v1/openapi.yaml"} {
			if strings.Contains(w.Body.String(), part) != (c.method == "GET") {
				t.Errorf("%s %s: %q in %s", c.method, c.path, part, w.Body)
			}
		}
	}
}

type broken struct{}

func (broken) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestABrokenConsoleIsAnError(t *testing.T) {
	if _, err := New(broken{}); err == nil {
		t.Error("no error")
	}
}
