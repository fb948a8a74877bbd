package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/pkg/run"
)

// sweepEvery is how often a one-time password that was used is cleared away, in
// case another dashboard saw its change.
const sweepEvery = time.Minute

// Addr is where the dashboard listens.
func (a *App) Addr() string { return a.server.Addr().String() }

// Run works until ctx ends, a signal comes or a part fails, then stops in this
// order, within shutdown.timeout in all: /ready fails; the port closes, streams of
// events end and requests in flight finish or are cut; then what worked behind
// them ends; then Redis and the store close.
func (a *App) Run(ctx context.Context) error {
	var support run.Group
	support.Add("bus", a.bus.Run)
	support.Add("publishing", a.engine.Run)
	support.Add("keys", a.keys.Run)
	support.Add("drafts", a.drafts.Run)
	support.Add("events", a.watcher.Run)
	support.Add("health", a.health.Run)
	support.Add("people", a.people.Run)
	support.Add("one-time password", a.keepPassword)
	support.Add("restore", a.watchRestore)
	// requests in flight may need all of it until the last of them is answered
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- support.Run(behind) }()

	// the larger part of the time is for requests, the rest for closing
	grace := a.c.Shutdown.Timeout - min(a.c.Shutdown.Timeout/4, time.Second)
	var began time.Time
	var front run.Group
	front.Add("signals", run.Signals())
	front.Add("listener", func(ctx context.Context) error {
		context.AfterFunc(ctx, a.health.SetDraining)
		return a.server.Run(ctx, grace)
	})
	front.Add("end", func(ctx context.Context) error {
		select {
		case err := <-ended:
			ended <- nil
			return err
		case <-ctx.Done():
			began = time.Now()
			a.log.Info("stopping: requests in flight are finished", "timeout", a.c.Shutdown.Timeout)
			return nil
		}
	})
	err := front.Run(ctx)
	stop()
	if began.IsZero() {
		began = time.Now()
	}
	last, cancel := context.WithDeadline(context.WithoutCancel(ctx), began.Add(a.c.Shutdown.Timeout))
	defer cancel()
	select {
	case e := <-ended:
		err = errors.Join(err, e)
	case <-last.Done():
		err = errors.Join(err, errors.New("not everything ended within shutdown.timeout"))
	}
	err = errors.Join(err, a.cleanup.Run(last))
	a.log.Info("stopped")
	return err
}

// keepPassword clears the one-time password away once it was used.
func (a *App) keepPassword(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		a.forgetPassword(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// forgetPassword removes the file with the first admin's one-time password once
// that was changed, on whichever dashboard.
func (a *App) forgetPassword(ctx context.Context) {
	file := passwordFile(a.c)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return
	}
	waiting, err := someoneMustChange(ctx, a.people)
	if err == nil && !waiting {
		err = removeFile(file)
	}
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the file with the one-time password stays for now", "file", file, "error", err)
	}
}
