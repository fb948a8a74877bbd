// Package admin is what operators and probes ask a gateway, on a listener of its
// own that is bound to loopback unless configured otherwise.
package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
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
	Tunnels    Tunnels           `json:"tunnels"`
}

// maxTunnels is how many tunnels /state lists, the oldest ones.
const maxTunnels = 1000

// Tunnels are the open WebSockets, other upgrades and TCP connections.
type Tunnels struct {
	Total  int            `json:"total"`
	Counts map[string]int `json:"counts"` // by API or TCP listener
	Open   []Tunnel       `json:"open"`   // the oldest thousand
}

// Tunnel is one of them.
type Tunnel struct {
	Name     string    `json:"name"` // id of the API, name of the TCP listener
	Client   string    `json:"client"`
	Protocol string    `json:"protocol"`
	Since    time.Time `json:"since"`
	Age      int64     `json:"age"`      // in seconds
	Idle     int64     `json:"idle"`     // since something passed, in seconds
	BytesIn  int64     `json:"bytesIn"`  // from the client
	BytesOut int64     `json:"bytesOut"` // to the client
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

// Routes are every route of the admin listener. The tunnels of these sets are shown
// in the state.
func Routes(h *httpd.Health, metrics http.Handler, w *route.World, tunnels ...*tunnel.Set) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // some load balancers ask by HEAD
	r.Get("/hello", h.Hello)
	r.Get("/ready", h.Ready)
	r.Get("/live", h.Live)
	r.Method(http.MethodGet, "/metrics", metrics)
	r.Get("/state", func(rw http.ResponseWriter, _ *http.Request) { state(rw, w, tunnels) })
	r.HandleFunc("/debug/pprof/*", pprof.Index)
	r.HandleFunc("/debug/pprof/profile", pprof.Profile)
	r.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	r.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return r
}

func state(rw http.ResponseWriter, w *route.World, sets []*tunnel.Set) {
	t, rep := w.Load(), w.Report()
	s := State{Epoch: rep.Epoch, Generation: rep.Generation, Root: rep.Root, Origin: rep.Origin, APIs: []API{}, Rejected: slices.Clone(rep.Rejected)}
	if s.Rejected == nil {
		s.Rejected = []notice.Rejected{}
	}
	if rep.Err != nil {
		s.Error = rep.Err.Error()
	}
	s.Tunnels = open(sets, time.Now())
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

func open(sets []*tunnel.Set, now time.Time) Tunnels {
	t := Tunnels{Counts: map[string]int{}, Open: []Tunnel{}}
	for _, s := range sets {
		st := s.Stats()
		t.Total += st.Total
		for name, n := range st.Open {
			t.Counts[name] += n
		}
		for _, i := range s.List(maxTunnels) {
			t.Open = append(t.Open, Tunnel{
				i.Name, i.Client, i.Protocol, i.Since, int64(now.Sub(i.Since).Seconds()), int64(i.Idle.Seconds()), i.In, i.Out,
			})
		}
	}
	slices.SortFunc(t.Open, func(a, b Tunnel) int { return a.Since.Compare(b.Since) })
	t.Open = t.Open[:min(len(t.Open), maxTunnels)]
	return t
}
