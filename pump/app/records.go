package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/lease"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/spool"
	"github.com/sluice-gateway/sluice/pump/catalog"
	"github.com/sluice-gateway/sluice/pump/pipeline"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// trimLease is how long the right to trim a shard lasts without being renewed. It is
// renewed every second.
const trimLease = 5 * time.Second

// restOfStop is what a stop needs beside the running writes.
const restOfStop = 1500 * time.Millisecond

// streams is the wire to the records in Redis.
type streams struct {
	rdb  redis.UniversalClient
	node string
}

func (s streams) Reader(shard int, o spool.ReaderOptions) (*spool.Reader, error) {
	return spool.NewReader(s.rdb, shard, o)
}

func (s streams) Locate(ctx context.Context, shard int, group string) (spool.Position, error) {
	return spool.Locate(ctx, s.rdb, shard, group)
}

func (s streams) Trim(ctx context.Context, shard int, o spool.TrimOptions) (spool.Trimmed, error) {
	return spool.Trim(ctx, s.rdb, shard, o)
}

func (s streams) Lease(shard int) pipeline.Lease {
	return lease.New(s.rdb, spool.LeaseKey(shard, "trim"), s.node, trimLease)
}

// withConnections makes room in the pool for the lanes, which each keep one
// connection waiting for records.
func withConnections(c redisdb.Config, lanes int) redisdb.Config {
	if c.PoolSize == 0 {
		c.PoolSize = 10 * runtime.GOMAXPROCS(0)
	}
	c.PoolSize += lanes
	return c
}

// newPipeline opens the sinks and makes the lanes to them.
func (a *App) newPipeline(ctx context.Context, rdb redis.UniversalClient, node string) (err error) {
	o := pipeline.Options{
		Consumer: node, Shards: a.c.Streams.Shards, Streams: streams{rdb, node}, Drain: a.c.Shutdown.Timeout - restOfStop, Log: a.log,
		Trim: spool.TrimOptions{
			Budget: int64(a.c.Streams.Budget) / int64(a.c.Streams.Shards), Unprotected: a.c.Streams.Unprotected, Forget: a.c.Streams.Forget,
		},
	}
	defer func() {
		for _, s := range o.Sinks {
			if err != nil {
				err = errors.Join(err, s.To.Close())
			}
		}
	}()
	for _, c := range a.c.Sinks {
		s, err := openSink(ctx, c, sink.Env{Name: c.Name, Data: a.c.Data, Log: a.log.With("sink", c.Name)})
		if err != nil {
			return fmt.Errorf("sink %s: %w", c.Name, err)
		}
		o.Sinks = append(o.Sinks, s)
	}
	if len(o.Sinks) == 0 {
		a.log.Warn("there is no sink: nothing is drained, and the streams keep what fits their budget", "mend", "name one in sinks")
	}
	a.pipeline, err = pipeline.New(o)
	return err
}

func openSink(ctx context.Context, c Sink, env sink.Env) (pipeline.Sink, error) {
	s := pipeline.Sink{
		Name: c.Name, Type: c.Type, Required: c.Required, From: spool.FromOldest, WriteTimeout: c.WriteTimeout,
		Rules: pipeline.Rules{Filter: c.Filter, IgnoreFields: c.IgnoreFields, Sample: c.Sample},
	}
	if c.From == "now" {
		s.From = spool.FromNow
	}
	for _, k := range catalog.List() {
		if k.Type == c.Type {
			to, err := k.Open(ctx, c.Options, env)
			s.To, s.Counting = to, k.Counting
			return s, err
		}
	}
	return s, fmt.Errorf("there is no type %q", c.Type)
}

// watchSinks makes each sink a component of /hello; required ones also of /ready.
func (a *App) watchSinks() {
	for _, c := range a.c.Sinks {
		add := a.health.Optional
		if c.Required {
			add = a.health.Component
		}
		add("sink "+c.Name, func(context.Context) (httpd.Status, string) { return a.sinkHealth(c.Name, time.Now()) })
	}
}

// sinkHealth is how a sink fares: a warning as soon as it fails, a failure when that
// lasts.
func (a *App) sinkHealth(name string, now time.Time) (httpd.Status, string) {
	s := a.pipeline.SinkState(name)
	detail := fmt.Sprintf("%.1f s behind, %d batches in work", s.LagSeconds, s.Pending)
	if !s.Failing {
		return httpd.Pass, detail
	}
	lasts := now.Sub(s.FailingSince)
	detail = fmt.Sprintf("fails for %s: %s; %s", lasts.Round(time.Second), s.LastError, detail)
	if lasts > a.c.ReadyAfter {
		return httpd.Fail, detail
	}
	return httpd.Warn, detail
}

// longestError bounds an error in a beat, in bytes: a beat that is too large is refused.
const longestError = 1000

// fares says in a beat how the sinks do.
func (a *App) fares(b *fleet.Beat) {
	b.State = fleet.Current
	for _, c := range a.c.Sinks {
		if s := a.pipeline.SinkState(c.Name); s.Failing {
			since, said := s.FailingSince.UTC().Format(time.RFC3339), s.LastError
			if len(said) > longestError {
				said = strings.ToValidUTF8(said[:longestError], "") + "…"
			}
			b.State, b.Reason, b.ReasonCode = fleet.Degraded, fmt.Sprintf("sink %s fails since %s: %s", c.Name, since, said), fleet.CodeSinkFailing
			b.ReasonWith = map[string]any{"sink": c.Name, "since": since, "error": said}
			return
		}
	}
}

// state answers GET /state; pipeline.State is its manual.
func (a *App) state(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.NewEncoder(w).Encode(a.pipeline.State()); err != nil {
		a.log.Debug("the state could not be sent", "error", err)
	}
}
