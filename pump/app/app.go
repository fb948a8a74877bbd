package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/run"
	"github.com/sluice-gateway/sluice/pkg/telemetry"
	"github.com/sluice-gateway/sluice/pkg/trust"
	"github.com/sluice-gateway/sluice/pump/pipeline"
)

// beatEvery is how often the fleet hears of this pump, beatTimeout how long one
// beat may take.
const (
	beatEvery   = 2 * time.Second
	beatTimeout = 2 * time.Second
)

// App is one pump. New puts it together and takes its port; Run lets it work.
type App struct {
	c        Config
	log      *slog.Logger
	cleanup  run.Cleanup
	pipeline *pipeline.Pipeline
	server   *httpd.Server
	health   *httpd.Health
	beats    *fleet.Writer
	beat     fleet.Beat // what does not change
}

// New makes a pump from its configuration. Redis may be away.
func New(ctx context.Context, c Config, log *slog.Logger) (_ *App, err error) {
	a := &App{c: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.cleanup.Run(ctx))
		}
	}()
	keys, err := trust.LoadNode(c.trustDir())
	if err != nil {
		return nil, err
	}
	id, name, err := fleet.Identify(c.Data, c.Name)
	if err != nil {
		return nil, err
	}
	redisdb.LogTo(log)
	rdb, err := redisdb.Open(withConnections(c.Redis, len(c.Sinks)*c.Streams.Shards))
	if err != nil {
		return nil, err
	}
	a.cleanup.Push("redis", func(context.Context) error { return rdb.Close() })
	a.beats = fleet.NewWriter(rdb, keys)
	a.beat = fleet.Beat{Node: id, Name: name, Service: "pump", Version: buildinfo.Version(), Start: rand.Text(), StartedAt: time.Now().UTC(), Source: "none"}
	if err := a.newPipeline(ctx, rdb, id); err != nil {
		return nil, err
	}
	a.cleanup.Push("sinks", a.pipeline.Close)

	a.health = httpd.NewHealth("pump", buildinfo.Version(), name)
	a.health.Component("redis", func(ctx context.Context) (httpd.Status, string) {
		detail, err := redisdb.Ping(ctx, rdb)
		if err != nil {
			return httpd.Fail, err.Error()
		}
		if warning := redisdb.Memory(ctx, rdb); warning != "" {
			return httpd.Warn, warning
		}
		return httpd.Pass, detail
	})
	a.watchSinks()
	a.server, err = httpd.Listen(ctx, httpd.ServerOptions{Name: "health", Address: c.Listen.Address, Handler: a.routes(), Log: log})
	if err != nil {
		return nil, err
	}
	log.Info("listening", "listener", "health", "address", a.server.Addr().String(), "node", id)
	return a, nil
}

// routes are every route of the pump.
func (a *App) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // some load balancers ask by HEAD
	r.Get("/hello", a.health.Hello)
	r.Get("/ready", a.health.Ready)
	r.Get("/live", a.health.Live)
	r.Get("/state", a.state)
	metrics := telemetry.NewRegistry("pump")
	metrics.MustRegister(a.pipeline)
	r.Method(http.MethodGet, "/metrics", telemetry.Handler(metrics))
	return r
}

// Addr is the address of the listener, with the real port.
func (a *App) Addr() string { return a.server.Addr().String() }

// Run works until ctx ends, a signal comes or a part fails; then nothing more is read
// from the streams, running writes and requests end, the sinks close, the fleet is
// told, and Redis closes.
func (a *App) Run(ctx context.Context) error {
	var g run.Group
	g.Add("signals", run.Signals())
	g.Add("health listener", func(ctx context.Context) error { return a.server.Run(ctx, a.c.Shutdown.Timeout) })
	g.Add("health", a.health.Run)
	g.Add("records", a.pipeline.Run)
	g.Add("beats", a.beating)
	err := g.Run(ctx)
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.c.Shutdown.Timeout)
	defer cancel()
	err = errors.Join(err, a.cleanup.Run(done))
	a.log.Info("stopped")
	return err
}

// beating tells the fleet of this pump until ctx ends.
func (a *App) beating(ctx context.Context) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for arrived := true; ; {
		b := a.beat
		b.RedisOK, b.Load = arrived, fleet.ProcessLoad()
		a.fares(&b)
		one, cancel := context.WithTimeout(ctx, beatTimeout)
		err := a.beats.Beat(one, b)
		cancel()
		if arrived != (err == nil) && ctx.Err() == nil {
			if err != nil {
				a.log.Warn("beats do not arrive", "error", err)
			} else {
				a.log.Info("beats arrive again")
			}
		}
		arrived = err == nil
		select {
		case <-ctx.Done():
			leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
			defer cancel()
			if err := a.beats.Leave(leave, a.beat.Node); err != nil {
				a.log.Warn("the fleet could not be told that this pump stops", "error", err)
			}
			return nil
		case <-tick.C:
		}
	}
}
