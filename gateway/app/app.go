package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/gateway/admin"
	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/requestid"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/listen"
	"github.com/sluice-gateway/sluice/gateway/node"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/serve"
	"github.com/sluice-gateway/sluice/gateway/serve/tcp"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
	"github.com/sluice-gateway/sluice/gateway/session"
	"github.com/sluice-gateway/sluice/gateway/source/lastgood"
	"github.com/sluice-gateway/sluice/gateway/source/published"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/run"
	"github.com/sluice-gateway/sluice/pkg/telemetry"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// App is one gateway. New puts it together and takes its ports; Run lets it work.
type App struct {
	c       Config
	log     *slog.Logger
	cleanup run.Cleanup

	// Reread reads the configuration again; on SIGHUP the level of the log is taken from
	// it, and nothing else. Nil: it stays.
	Reread func() (Config, error)

	fronts   []*listen.Server // the main one first
	certs    *certs.Store
	engines  *engines
	streams  map[string]*tcp.Proxy // by name of the listener
	newID    func() string
	handler  *serve.Handler
	admin    *httpd.Server
	health   *httpd.Health
	world    *route.World
	reloader *route.Reloader
	source   *lastgood.Source
	ring     *keyring.Reader
	sessions *session.Lookup
	beater   *node.Beater
	bus      *bus.Bus
	ups      *upstream.Manager
	records  *recorder // nil where they are switched off
	metrics  http.Handler
	self     atomic.Value                // string: base URL of the own listener
	signals  func(context.Context) error // returns when the process is asked to stop
	asked    chan os.Signal              // SIGHUP
}

// New makes a gateway from its configuration. Redis may be away: the gateway then
// starts from its disk.
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
	me := &filter.Node{ID: id, Name: name, Group: c.Group}
	redisdb.LogTo(log)
	rdb, err := redisdb.Open(c.Redis)
	if err != nil {
		return nil, err
	}
	a.cleanup.Push("redis", func(context.Context) error { return rdb.Close() })
	if a.records, err = openRecords(c, rdb, keys, me, log); err != nil {
		return nil, err
	}
	if a.records != nil {
		a.cleanup.Push("records", a.records.close)
	}
	if a.certs, err = openCertificates(c, log); err != nil {
		return nil, err
	}
	if err := a.compose(rdb, keys, me); err != nil {
		return nil, err
	}
	return a, a.open(ctx, me)
}

// compose wires everything that needs no port.
func (a *App) compose(rdb redis.UniversalClient, keys *trust.Keys, me *filter.Node) error {
	clock := http1.NewClock()
	a.world = route.NewWorld()
	a.ups = upstream.NewManager(clock, a.certs)
	a.ring = keyring.NewReader(rdb, keys)
	a.sessions = session.New(a.ring, keys.SumKey, policies{a.world}, session.Options{
		TTL: a.c.Session.TTL, StaleIfError: a.c.Session.StaleIfError, Size: a.c.Session.Size, Complete: a.ring.Complete,
	})
	newID := requestid.Maker()
	order := chain.Order(chain.Deps{Keys: a.sessions, TrustedProxies: a.c.proxies(), NewID: newID, Pressed: a.records.pressed})
	unmatched, problems := chain.Unmatched(order)
	if unmatched == nil {
		return fmt.Errorf("the chain for unmatched requests: %s", problems[0].Message)
	}
	counters := serve.NewCounters(durations(telemetry.LatencyBuckets()))
	a.handler = serve.New(serve.Options{
		World: a.world, Unmatched: unmatched, Node: me, Observer: a.records.observer(counters), Log: a.log,
		HTTPSPort: a.c.Listen.HTTPSPort,
		Tunnel:    tunnel.Limits{IdleTimeout: a.c.Tunnel.IdleTimeout, MaxAge: a.c.Tunnel.MaxAge},
	})
	var refused func(int, string, string, netip.Addr)
	if a.records != nil {
		refused = a.records.meter.Refused
	}
	a.newID = newID
	a.engines = newEngines(a.c.Listen, a.handler, clock, newID, refused, a.log)

	var err error
	if a.streams, err = newStreams(a.c, a.log); err != nil {
		return err
	}

	roots := published.New(publish.NewReader(rdb, keys, me.Group))
	a.source, err = lastgood.Wrap(roots, lastgood.Options{Dir: a.c.lastGoodDir(), Keys: keys, Group: me.Group, Log: a.log})
	if err != nil {
		return err
	}
	compiler := route.NewCompiler(order, a.ups)
	compiler.UseMaterial(keys, a.certs)
	a.bus = bus.New(rdb, keys, bus.Options{Node: me.ID, Name: me.Name, Log: a.log})
	a.beater = node.NewBeater(fleet.NewWriter(rdb, keys), a.bus, node.Options{
		Node: me, Version: buildinfo.Version(), Address: a.address, TLS: a.c.Listen.TLS, Start: a.records.start(rand.Text()), World: a.world, Load: a.load(counters, time.Now), Spool: a.records.beat, Log: a.log,
	})
	a.reloader = route.NewReloader(a.world, compiler, a.source, route.Options{Applied: a.applied, Log: a.log})
	a.subscribe(roots)
	a.commands(compiler)
	a.checks(rdb, me, counters)
	return nil
}

// applied tells the fleet and the health of a reload.
func (a *App) applied(r route.Report) {
	a.beater.Applied(r)
	a.health.Recheck()
}

// subscribe connects notices with who acts on them. After a gap everything that a
// notice could have said is asked for.
func (a *App) subscribe(roots *published.Source) {
	a.bus.On(notice.ConfigChangedKind, func(json.RawMessage) { roots.Hint() })
	a.bus.On(notice.KeyChangedKind, func(payload json.RawMessage) {
		var k notice.KeyChanged
		if json.Unmarshal(payload, &k) == nil {
			a.sessions.Drop(k.Hash, k.Version)
		}
	})
	a.bus.On(notice.KeysChangedKind, func(json.RawMessage) { a.sessions.Expire() })
	a.bus.OnGap(func() {
		roots.Hint()
		a.sessions.Expire()
	})
}

func (a *App) checks(rdb redis.UniversalClient, me *filter.Node, counters *serve.Counters) {
	a.health = httpd.NewHealth("gateway", buildinfo.Version(), me.Name)
	a.health.Optional("redis", func(ctx context.Context) (httpd.Status, string) {
		detail, err := redisdb.Ping(ctx, rdb)
		if err != nil {
			return httpd.Fail, err.Error()
		}
		if warning := redisdb.Memory(ctx, rdb); warning != "" {
			return httpd.Warn, warning
		}
		return httpd.Pass, detail
	})
	a.health.Component("configuration", func(context.Context) (httpd.Status, string) {
		rep := a.world.Report()
		said := fmt.Sprintf("generation %d, %d APIs, from %s", rep.Generation, rep.APIs, rep.Origin)
		switch {
		case rep.Origin == "":
			return httpd.Fail, "no configuration yet"
		case rep.Err != nil || len(rep.Rejected) > 0:
			return httpd.Warn, said
		}
		return httpd.Pass, said
	})
	a.health.Component("certificates", a.checkCertificates)
	reg := telemetry.NewRegistry("gateway")
	if a.records != nil {
		a.health.Optional("records", a.records.check())
		reg.MustRegister(newRecordsCollector(a.records.spool))
	}
	reg.MustRegister(newCollector(a, counters), newFrontCollector(a), newTunnelCollector(a.tunnels()...))
	a.metrics = telemetry.Handler(reg)
}

// open takes the ports, so that one that is in use is told before anything runs.
func (a *App) open(ctx context.Context, me *filter.Node) (err error) {
	if err := a.openFronts(ctx); err != nil {
		return err
	}
	a.admin, err = httpd.Listen(ctx, httpd.ServerOptions{
		Name: "admin", Address: a.c.Admin.Address, Handler: admin.Routes(a.health, a.metrics, a.world, a.tunnels()...), Log: a.log,
	})
	if err != nil {
		return err
	}
	// before it says that it listens: who reads that may signal, and without this a signal
	// ends the process
	a.signals, a.asked = run.Signals(), make(chan os.Signal, 1)
	signal.Notify(a.asked, syscall.SIGHUP)
	for i, f := range a.fronts {
		l := a.c.listeners()[i]
		a.log.Info("listening", "listener", f.Name(), "address", f.Addr().String(), "tls", l.TLS, "proxy_protocol", l.ProxyProtocol, "node", me.ID, "group", me.Group)
	}
	a.log.Info("listening", "listener", "admin", "address", a.admin.Addr().String())
	return nil
}

// address is where clients call, once the port is open. A host that stands for every
// address of the machine stays as it is: what callers write there is not known here.
func (a *App) address() string {
	if len(a.fronts) == 0 {
		return ""
	}
	return a.fronts[0].Addr().String()
}

// policies shows the policies that are live to the session lookup.
type policies struct{ w *route.World }

func (p policies) Policies(org string) (map[string]access.Policy, session.Stamp) {
	t := p.w.Load()
	return t.Policies(org), session.Stamp{Generation: t.PolicyGeneration()}
}

// commands answers what dashboards ask over the bus.
func (a *App) commands(compiler *route.Compiler) {
	probes := httpd.NewClient(httpd.ClientOptions{Timeout: 5 * time.Second, MaxBody: 64 << 10, Private: true})
	c := &node.Commands{
		Version: buildinfo.Version(), Compiler: compiler, Prober: probes, Self: func() string { s, _ := a.self.Load().(string); return s },
		Client: &http.Client{
			Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true, DialContext: a.inside},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for cmd, f := range c.Handlers() {
		a.bus.Handle(cmd, f)
	}
}
