// Package admin is what operators and probes ask a gateway, on a listener of its
// own that is bound to loopback unless configured otherwise.
package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// State is what a gateway runs, at /state.
type State struct {
	Epoch      int64             `json:"epoch"`
	Generation int64             `json:"generation"`
	Root       string            `json:"root"`
	Origin     string            `json:"origin"` // live, disk, dir, or "" before the first
	APIs       []API             `json:"apis"`
	Rejected   []notice.Rejected `json:"rejected"`
	Error      string            `json:"error,omitempty"` // why the last fetch brought nothing
}

// API is one API that is routed.
type API struct {
	Org     string   `json:"org"`
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Domains []string `json:"domains"`
	SHA     string   `json:"sha"`
	Filters []string `json:"filters"` // in the order of execution
}

// Routes are every route of the admin listener.
func Routes(h *httpd.Health, metrics http.Handler, w *route.World) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // some load balancers ask by HEAD
	r.Get("/hello", h.Hello)
	r.Get("/ready", h.Ready)
	r.Get("/live", h.Live)
	r.Method(http.MethodGet, "/metrics", metrics)
	r.Get("/state", func(rw http.ResponseWriter, _ *http.Request) { state(rw, w) })
	r.HandleFunc("/debug/pprof/*", pprof.Index)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return r
}

func state(rw http.ResponseWriter, w *route.World) {
	t, rep := w.Load(), w.Report()
	s := State{Epoch: rep.Epoch, Generation: rep.Generation, Root: rep.Root, Origin: rep.Origin, APIs: []API{}, Rejected: slices.Clone(rep.Rejected)}
	if s.Rejected == nil {
		s.Rejected = []notice.Rejected{}
	}
	if rep.Err != nil {
		s.Error = rep.Err.Error()
	}
	for a := range t.Each {
		s.APIs = append(s.APIs, API{a.Facts.Org, a.Facts.ID, a.Facts.Name, a.Facts.ListenPath, append([]string{}, a.Definition.Listen.Domains...), a.SHA, a.Chain.Names()})
	}
	slices.SortFunc(s.APIs, func(a, b API) int { return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(s.Rejected, func(a, b notice.Rejected) int {
		return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	rw.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(rw).Encode(s)
}
