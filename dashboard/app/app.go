package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/dashboard/commands"
	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/httpapi"
	"github.com/sluice-gateway/sluice/dashboard/httpapi/changes"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/live"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/spa"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/bus"
	wirefleet "github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/run"
	"github.com/sluice-gateway/sluice/pkg/telemetry"
	"github.com/sluice-gateway/sluice/pkg/trust"
	"github.com/sluice-gateway/sluice/web"
)

// App is one dashboard. New puts it together and takes its port; Run lets it work.
type App struct {
	c       Config
	log     *slog.Logger
	cleanup run.Cleanup

	st      stores
	records records
	people  *people.Service
	engine  *publish.Engine
	keys    *keys.Service
	bus     *bus.Bus
	hub     *live.Hub
	watcher *live.Watcher
	health  *httpd.Health
	server  *httpd.Server
}

// New makes a dashboard from its configuration. The store must answer; Redis may
// be away, what was to be published follows when it is back.
func New(ctx context.Context, c Config, log *slog.Logger) (_ *App, err error) {
	a := &App{c: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup.Run(ctx))
		}
	}()
	trusted, err := trust.LoadDashboard(c.trustDir())
	if err != nil {
		return nil, err
	}
	if a.st, err = openStores(ctx, c); err != nil {
		return nil, err
	}
	a.cleanup.Push("store", a.st.close)
	if a.records, err = openRecords(ctx, c, log); err != nil {
		return nil, err
	}
	a.cleanup.Push("records", a.records.close)
	redisdb.LogTo(log)
	rdb, err := redisdb.Open(c.Redis)
	if err != nil {
		return nil, err
	}
	a.cleanup.Push("redis", func(context.Context) error { return rdb.Close() })
	handler, err := a.compose(rdb, trusted)
	if err != nil {
		return nil, err
	}
	if err := a.engine.Start(ctx); err != nil {
		return nil, fmt.Errorf("starting to publish: %w", err)
	}
	a.server, err = httpd.Listen(ctx, httpd.ServerOptions{Name: "dashboard", Address: c.Listen.Address, Handler: handler, Log: log})
	if err != nil {
		return nil, err
	}
	a.server.OnShutdown(a.hub.Close)
	a.cleanup.Push("listener", func(context.Context) error { _ = a.server.Close(); return nil })
	log.Info("listening", "listener", "dashboard", "address", a.server.Addr().String())
	return a, nil
}

// compose wires everything that needs no port.
func (a *App) compose(rdb redis.UniversalClient, trusted *trust.Keys) (http.Handler, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("the name of this host: %w", err)
	}
	beats := wirefleet.NewReader(rdb, trusted)
	a.bus = bus.New(rdb, trusted, bus.Options{Name: host, Log: a.log})
	a.people = newPeople(a.st, trusted, a.log)
	a.hub = live.NewHub(rand.Text()[:8])

	a.engine = publish.New(publish.Options{
		Log: a.st.log, Contents: a.st.contents, Views: a.st.views, Marks: a.st.marks,
		Roots: wire.NewWriter(rdb, trusted), Nodes: beats, Logger: a.log,
		Changed: func(e publish.Event) { a.watcher.Changed(e) },
	})
	nodes := fleet.New(beats, a.engine, time.Now)
	a.watcher = live.NewWatcher(a.hub, live.Sources{Status: a.engine.Status, Nodes: nodes.List, Condition: a.engine.Condition}, a.log, time.Now)
	a.engine.Attach(a.bus)

	ask := commands.New(a.bus, beats)
	definitions, err := apis.New(a.engine, a.st.views, ask)
	if err != nil {
		return nil, err
	}
	bundles := policies.New(a.engine, a.st.views, keys.Uses{Store: a.st.keys})
	a.keys = keys.New(keys.Options{Store: a.st.keys, Marks: a.st.marks, Ring: keyring.NewWriter(rdb, trusted), Catalog: bundles, Hasher: trusted, Logger: a.log})
	a.keys.Attach(a.bus)

	set := objects.NewSet(a.engine, definitions.Collection, bundles.Collection)
	reg := telemetry.NewRegistry("dashboard")
	observe := observer(reg)
	rest, err := httpapi.New(httpapi.Options{
		People: a.people, APIs: definitions, Policies: bundles, Keys: a.keys, Fleet: nodes, Commands: ask, Engine: a.engine, Hub: a.hub,
		Changes: changes.Service{Set: set, History: history.New(history.Options{Engine: a.engine, Log: a.st.log, Contents: a.st.contents, Set: set})},
		Calls:   calls.New(a.records.options(calls.Published{Engine: a.engine})),
		Secure:  strings.HasPrefix(a.c.PublicURL, "https://"), PublicURL: a.c.PublicURL, TrustedProxies: a.c.proxies(), StoreDriver: a.c.Store.Driver,
		PasswordChanged: func(people.User) { a.forgetPassword(context.Background()) }, Observe: observe, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.checks(rdb, host)
	return a.root(rest, telemetry.Handler(reg))
}

// root is everything on the one listener.
func (a *App) root(rest, metrics http.Handler) (http.Handler, error) {
	dist, err := fs.Sub(web.Dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("the built console: %w", err)
	}
	console, err := spa.New(dist)
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	for _, method := range []string{http.MethodGet, http.MethodHead} { // some load balancers ask by HEAD
		r.Method(method, "/hello", http.HandlerFunc(a.health.Hello))
		r.Method(method, "/ready", http.HandlerFunc(a.health.Ready))
		r.Method(method, "/live", http.HandlerFunc(a.health.Live))
		r.Method(method, "/metrics", metrics)
	}
	r.Handle(httpapi.Base, rest)
	r.Handle(httpapi.Base+"/*", rest)
	r.Handle("/api/*", rest)
	r.NotFound(console.ServeHTTP)
	r.MethodNotAllowed(console.ServeHTTP)
	return r, nil
}

// checks says how the dashboard is. Without the store it can do nothing; without
// Redis it serves on, and changes wait.
func (a *App) checks(rdb redis.UniversalClient, host string) {
	a.health = httpd.NewHealth("dashboard", buildinfo.Version(), host)
	a.health.Component("store", func(ctx context.Context) (httpd.Status, string) {
		if err := a.st.ping(ctx); err != nil {
			return httpd.Fail, err.Error()
		}
		return httpd.Pass, a.c.Store.Driver
	})
	a.health.Optional("redis", func(ctx context.Context) (httpd.Status, string) {
		detail, err := redisdb.Ping(ctx, rdb)
		if err != nil {
			return httpd.Warn, err.Error()
		}
		if warning := redisdb.Memory(ctx, rdb); warning != "" {
			return httpd.Warn, warning
		}
		return httpd.Pass, detail
	})
	a.health.Optional("records", a.records.check)
	a.health.Optional("publishing", func(context.Context) (httpd.Status, string) {
		c := a.engine.Condition()
		said := fmt.Sprintf("revision %d, published %d", c.Revision, c.Published)
		switch {
		case c.StoreBehind:
			return httpd.Warn, said + "; the store is older than what is published: restore a newer backup of it"
		case c.Error != "" || c.Published < c.Revision:
			return httpd.Warn, said
		}
		return httpd.Pass, said
	})
}
