// Package spa serves the built console: hashed assets that browsers keep for
// ever, the one page for every address of the console, and a page that says so
// where the console was not built.
package spa

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed absent.html
var absentPage []byte

// policy lets the page load what this server serves and nothing else (Content
// Security Policy Level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// handler serves one built console.
type handler struct {
	dist  fs.FS
	index []byte // nil: the console is not built
}

// New serves the files in dist, which is web.Dist's folder of that name. Files
// under assets/ have a hash in their names and never change.
func New(dist fs.FS) (http.Handler, error) {
	h := &handler{dist: dist}
	index, err := fs.ReadFile(dist, "index.html")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		h.index = nil
	case err != nil:
		return nil, fmt.Errorf("reading the console: %w", err)
	default:
		h.index = index
	}
	return h, nil
}

func etag(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// ServeHTTP answers GET and HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	if h.index == nil {
		absent(w, r)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name != "" && name != "index.html" && fs.ValidPath(name) {
		if text, err := fs.ReadFile(h.dist, name); err == nil && !hidden(name) {
			h.file(w, r, name, text)
			return
		}
		if name == "assets" || strings.HasPrefix(name, "assets/") || extension(name) {
			head.Set("Cache-Control", "no-store")
			http.Error(w, "there is no such file", http.StatusNotFound)
			return
		}
	}
	h.file(w, r, "index.html", h.index)
}

// extension tells whether a name is that of a file, such as robots.txt. What ends in
// a number is an address of the console, such as that of two revisions, 128..129.
func extension(name string) bool {
	ext := path.Ext(name)
	return len(ext) > 1 && (ext[1] < '0' || ext[1] > '9')
}

// absent answers where the console is not built. Only its start is found: who
// looks for anything else, such as a mistyped address of the API, must not be
// told 200.
func absent(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Length", strconv.Itoa(len(absentPage)))
	if path.Clean("/"+r.URL.Path) != "/" {
		w.WriteHeader(http.StatusNotFound)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(absentPage)
	}
}

// file sends one file, compressed where the build has put that beside it and the
// client takes it. Each form has an entity tag of its own (RFC 9110, 8.8.3).
func (h *handler) file(w http.ResponseWriter, r *http.Request, name string, text []byte) {
	head := w.Header()
	if strings.HasPrefix(name, "assets/") {
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		head.Set("Cache-Control", "no-cache")
	}
	head.Set("Vary", "Accept-Encoding")
	head.Set("Content-Type", kind(name))
	for _, c := range codings() {
		if !accepts(r.Header.Values("Accept-Encoding"), c.name) {
			continue
		}
		if packed, err := fs.ReadFile(h.dist, name+c.suffix); err == nil {
			head.Set("Content-Encoding", c.name)
			text = packed
			break
		}
	}
	head.Set("Etag", etag(text))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}
