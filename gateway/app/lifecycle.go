package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway/serve"
	"github.com/sluice-gateway/sluice/gateway/session"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/run"
)

// saveSessions is how often known callers are saved for a restart without Redis.
const saveSessions = 30 * time.Second

// seeKeys is how often the watermark of keys is looked at, so that a Redis that
// is put back to an older copy is recognized.
const seeKeys = 5 * time.Second

// newcomers is how long a stop waits for the first requests of connections that came
// just before it, and for their handshakes: to the engines they are idle.
const newcomers = 250 * time.Millisecond

// callers is what is saved of them.
type callers struct {
	session.State
	Watermark time.Time `json:"watermark,omitzero"` // the highest that was seen
}

// Addr is the address where clients call.
func (a *App) Addr() string { return a.fronts[0].Addr().String() }

// AdminAddr is the address where operators ask.
func (a *App) AdminAddr() string { return a.admin.Addr().String() }

// Run works until ctx ends, a signal comes or a part fails, then stops in this
// order: /ready fails and beats say "draining"; the listener still takes
// connections for shutdown.delay; it closes, requests and tunnels in flight get
// shutdown.timeout; then the state is saved, the last records are shipped or stay on
// disk, upstream connections and Redis close.
func (a *App) Run(ctx context.Context) error {
	defer signal.Stop(a.asked)
	a.restore()
	var support run.Group
	support.Add("admin listener", func(ctx context.Context) error { return a.admin.Run(ctx, 2*time.Second) })
	support.Add("configuration", a.reloader.Run)
	support.Add("last-known-good", a.source.Run)
	support.Add("bus", a.bus.Run)
	support.Add("beats", a.beater.Run)
	support.Add("health", a.health.Run)
	support.Add("sessions", a.keepSessions)
	support.Add("certificates", a.certs.Run)
	support.Add("reload", func(ctx context.Context) error { return a.hangups(ctx, a.asked) })
	if a.records != nil {
		support.Add("records", a.records.run)
	}
	// what requests in flight may need, and what tells the fleet of the drain, ends
	// only after the last of them
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- support.Run(behind) }()

	var front run.Group
	front.Add("signals", a.signals)
	front.Add("listeners", a.serve)
	front.Add("support", func(ctx context.Context) error {
		select {
		case err := <-ended:
			ended <- nil
			return err
		case <-ctx.Done():
			return nil
		}
	})
	err := front.Run(ctx)
	stop()
	err = errors.Join(err, <-ended)

	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	a.ups.Close()
	err = errors.Join(err, a.cleanup.Run(done))
	a.log.Info("stopped", "requests", a.engines.work().requests)
	return err
}

// serve takes requests until ctx ends, then drains. It returns only when the last
// request is answered or cut. Clients that come before the configuration was looked
// for wait: they would be told that there is no such API.
func (a *App) serve(ctx context.Context) error {
	select {
	case <-a.reloader.Looked():
	case <-ctx.Done():
	}
	served := make(chan error, len(a.fronts))
	base := context.WithoutCancel(ctx)
	for _, f := range a.fronts {
		go func() {
			err := f.Serve(base)
			if err != nil {
				err = fmt.Errorf("listener %s: %w", f.Name(), err)
			}
			served <- err
		}()
	}
	var failed error
	select {
	case failed = <-served:
		served <- nil
	case <-ctx.Done():
	}
	a.log.Info("stopping: requests in flight are finished", "connections", a.connections(), "in_flight", a.engines.work().inFlight, "timeout", a.c.Shutdown.Timeout)
	a.health.SetDraining()
	a.beater.Drain()
	if a.c.Shutdown.Delay > 0 && failed == nil {
		<-time.After(a.c.Shutdown.Delay)
	}
	for _, f := range a.fronts {
		f.Close()
	}
	if failed == nil && a.connections() > 0 {
		<-time.After(min(newcomers, a.c.Shutdown.Timeout/4))
	}
	for _, f := range a.fronts {
		f.Stop()
	}
	drain, cancel := context.WithTimeout(base, a.c.Shutdown.Timeout)
	defer cancel()
	var wait sync.WaitGroup
	wait.Go(func() { a.handler.Shutdown(drain) })
	for _, p := range a.streams {
		wait.Go(func() { p.Shutdown(drain) })
	}
	err := a.engines.shutdown(drain)
	wait.Wait()
	if err != nil {
		a.log.Warn("requests were cut at shutdown.timeout", "error", err)
	}
	for _, f := range a.fronts {
		failed = errors.Join(failed, <-served)
		f.Wait()
	}
	return failed
}

// restore takes known callers from the disk. What cannot be read is no reason not
// to start.
func (a *App) restore() {
	plain, err := a.source.LoadSessions()
	var st callers
	if err == nil && plain != nil {
		err = json.Unmarshal(plain, &st)
	}
	if err != nil {
		a.log.Warn("known callers could not be taken from the disk", "error", err)
		return
	}
	a.sessions.Import(st.State)
	a.ring.Remember(st.Watermark)
}

// keepSessions saves known callers now and then, and at the end.
func (a *App) keepSessions(ctx context.Context) error {
	tick := time.NewTicker(saveSessions)
	defer tick.Stop()
	look := time.NewTicker(seeKeys)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			// Redis being away is told elsewhere.
			_, _ = a.ring.Complete(ctx)
		case <-tick.C:
			a.saveSessions()
		case <-ctx.Done():
			a.saveSessions()
			return nil
		}
	}
}

func (a *App) saveSessions() {
	plain, err := json.Marshal(callers{a.sessions.Export(), a.ring.Seen()})
	if err == nil {
		err = a.source.SaveSessions(plain)
	}
	if err != nil {
		a.log.Error("known callers could not be saved; the file before stays", "error", err)
	}
}

// load measures what a beat says of the gateway's work; requests a second are
// those since the beat before.
func (a *App) load(c *serve.Counters, now func() time.Time) func() fleet.Load {
	last, at := uint64(0), now()
	return func() fleet.Load {
		n, t := c.Read().Total, now()
		l := fleet.ProcessLoad()
		l.Connections, l.InFlight = a.connections(), a.engines.work().inFlight
		if d := t.Sub(at).Seconds(); d > 0 {
			l.RPS = float64(n-last) / d
		}
		last, at = n, t
		return l
	}
}
