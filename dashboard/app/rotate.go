package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/lease"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const (
	// rotateLease is longer than a rotation takes.
	rotateLease = 2 * time.Minute
	// followWithin is how long the gateways that are alive are waited for.
	followWithin = 30 * time.Second
	// everyGroup is the group that always has a root.
	everyGroup = "default"
)

// rotation is one run of `rotate signing`.
type rotation struct {
	rdb   redis.UniversalClient
	st    stores
	keys  *trust.Keys // the new set
	beats *fleet.Reader
	epoch int64
}

// RotateSigning replaces the signing key while everything runs: it publishes all
// roots anew, signed by the new key and in a new epoch, with the old key's word for
// the new one behind the signature. Gateways and the other dashboards follow when
// they read the next root; the old key still counts until a run with finish. It
// returns when the gateways that are alive have followed, and says so on out. Run
// again, it goes on where it was interrupted.
func RotateSigning(ctx context.Context, c Config, finish bool, out io.Writer) (err error) {
	keys, err := trust.LoadDashboard(c.trustDir())
	if err != nil {
		return err
	}
	st, err := openStores(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	rdb, err := redisdb.Open(c.Redis)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	one := lease.New(rdb, "sluice:lease:rotate", rand.Text(), rotateLease)
	switch _, held, err := one.Hold(ctx); {
	case err != nil:
		return fmt.Errorf("nothing was changed: %w", err)
	case !held:
		return errors.New("another rotation is under way; nothing was changed; try again when it has ended")
	}
	defer func() { err = errors.Join(err, one.Release(ctx)) }()
	// Another dashboard may have rotated since these keys were saved: then they follow here.
	if err := wire.NewWriter(rdb, keys).Follow(ctx); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	next := (*trust.Keys).Rotate
	if finish {
		next = (*trust.Keys).Retire
	}
	r := rotation{rdb: rdb, st: st}
	if r.keys, err = next(keys); errors.Is(err, trust.ErrRotating) {
		r.keys, err = keys, nil // perhaps it was not published
	}
	if err != nil {
		return err
	}
	if err := r.keys.SaveReplacing(c.trustDir()); err != nil {
		return err
	}
	r.beats = fleet.NewReader(rdb, r.keys)
	if err := r.publish(ctx); err != nil {
		return fmt.Errorf("the new keys are saved in %s, but not published yet; run the same command again: %w", c.trustDir(), err)
	}
	return r.report(ctx, finish, out)
}

// publish announces the new key, so that no dashboard signs with the old one any
// more, and writes all roots in a new epoch, which makes every gateway read them.
func (r *rotation) publish(ctx context.Context) error {
	roots := wire.NewWriter(r.rdb, r.keys)
	if err := roots.Announce(ctx); err != nil {
		return err
	}
	epoch, err := r.st.marks.Mark(ctx, "epoch")
	if err != nil {
		return fmt.Errorf("reading the signing epoch: %w", err)
	}
	r.epoch = epoch + 1
	if err := r.st.marks.Raise(ctx, "epoch", r.epoch); err != nil {
		return fmt.Errorf("starting a new signing epoch: %w", err)
	}
	e := publish.New(publish.Options{
		Log: r.st.log, Contents: r.st.contents, Views: r.st.views, Marks: r.st.marks,
		Roots: roots, Nodes: r.beats, Logger: slog.New(slog.DiscardHandler),
	})
	e.Attach(bus.New(r.rdb, r.keys, bus.Options{})) // to tell the gateways
	if err := e.Start(ctx); err != nil {
		return err
	}
	if err := e.Repair(ctx, true); err != nil {
		return err
	}
	signed, err := r.signed(ctx)
	if err == nil && !signed {
		err = errors.New("the roots are still signed by the old key")
	}
	return err
}

// signed tells whether all roots in use are signed by the new key.
func (r *rotation) signed(ctx context.Context) (bool, error) {
	groups := []string{everyGroup}
	beats, err := r.beats.List(ctx)
	if err != nil {
		return false, err
	}
	for _, b := range beats {
		if b.Service == "gateway" && b.Group != "" && !slices.Contains(groups, b.Group) {
			groups = append(groups, b.Group)
		}
	}
	only := r.keys.Node()
	only.Trusted = only.Trusted[:1]
	for _, g := range groups {
		root, _, err := wire.NewReader(r.rdb, only, g).Root(ctx)
		if errors.Is(err, wire.ErrKey) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if root.Epoch < r.epoch {
			return false, nil
		}
	}
	return true, nil
}

// report waits for the gateways and says what there is to know.
func (r *rotation) report(ctx context.Context, finish bool, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		late, all, err := r.late(ctx)
		switch {
		case err == nil && len(late) == 0:
			fmt.Fprintf(out, "The roots are signed by the new key; all %d gateways that are alive have followed. Others follow when they come back.\n", all)
			if finish {
				fmt.Fprintln(out, "The old key counts no more.")
			} else {
				fmt.Fprintln(out, "The old key still counts; sluice-dashboard rotate signing --finish ends that.")
			}
			return nil
		case ctx.Err() != nil && err == nil:
			return fmt.Errorf("the roots are signed by the new key, but these gateways have not followed within %s: %s; see their state", followWithin, strings.Join(late, ", "))
		case ctx.Err() != nil:
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// late names the gateways that are alive and have no root of the new epoch.
func (r *rotation) late(ctx context.Context) (late []string, all int, err error) {
	beats, err := r.beats.List(context.WithoutCancel(ctx))
	for _, b := range beats {
		if b.Service != "gateway" || b.State == fleet.Offline {
			continue
		}
		if all++; b.Epoch < r.epoch {
			late = append(late, b.Name)
		}
	}
	return late, all, err
}
