// Package mongo is the sink that keeps records in MongoDB, in one collection a day,
// for every dashboard to read.
package mongo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/mongo"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pump/sink"
)

var _ sink.Worker = (*Sink)(nil)

// Config are the options.
type Config struct {
	// URL is the connection string: mongodb://user:password@host1,host2/?replicaSet=rs0 or
	// mongodb+srv://. TLS, users and replica sets are options of it. Required.
	URL config.Secret `config:"url"`
	// Database is the name of the database. Default: "sluice".
	Database string `config:"database"`
	// Retention is how long records are kept; days (UTC) are dropped as a whole, when all
	// of them is older. To keep records for ever, set what is never reached, such as
	// 36500d. Default: 7d.
	Retention time.Duration `config:"retention"`
	// Timeout is how long one write may take. Default: 30s.
	Timeout time.Duration `config:"timeout"`
	// ServerSelectionTimeout is how long a write waits for a server that can take it.
	// Default: 3s.
	ServerSelectionTimeout time.Duration `config:"server_selection_timeout"`
}

// The defaults.
const (
	DefaultDatabase  = "sluice"
	DefaultRetention = 7 * 24 * time.Hour
	defaultTimeout   = 30 * time.Second
)

func (c Config) connection() mongodb.Config {
	return mongodb.Config{
		URL: c.URL, Database: cmp.Or(c.Database, DefaultDatabase),
		ServerSelectionTimeout: c.ServerSelectionTimeout, Timeout: cmp.Or(c.Timeout, defaultTimeout),
	}
}

// Sink is one database. It is safe for concurrent use.
type Sink struct {
	c   Config
	log *slog.Logger

	base    context.Context // of Open, without its end: for disconnecting
	opening chan struct{}   // taken by whoever connects; guards what follows
	archive *mongo.Archive  // nil: not connected yet
	close   func(context.Context) error
}

// Open checks the options. The first write connects.
func Open(ctx context.Context, c Config, env sink.Env) (sink.Sink, error) {
	for name, d := range map[string]time.Duration{"retention": c.Retention, "timeout": c.Timeout, "server_selection_timeout": c.ServerSelectionTimeout} {
		if d < 0 {
			return nil, config.Invalid(name, "it is negative", "use a span of time, such as 10s or 7d")
		}
	}
	if err := c.connection().Validate(); err != nil {
		return nil, err
	}
	return &Sink{
		c: c, log: cmp.Or(env.Log, slog.New(slog.DiscardHandler)),
		base: context.WithoutCancel(ctx), opening: make(chan struct{}, 1),
	}, nil
}

// connected is the archive, connected to when it is not yet. A server that does not
// answer is asked again by the next call.
func (s *Sink) connected(ctx context.Context) (*mongo.Archive, error) {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.archive != nil {
		return s.archive, nil
	}
	db, disconnect, err := mongodb.Open(ctx, s.c.connection())
	if err != nil {
		return nil, err
	}
	s.archive, s.close = mongo.New(db, mongo.Options{Retention: cmp.Or(s.c.Retention, DefaultRetention)}), disconnect
	return s.archive, nil
}

// Write stores a batch: a majority has it when Write returns nil, and a record that
// comes again is stored once.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	a, err := s.connected(ctx)
	if err != nil {
		return err
	}
	rejected, err := a.Insert(ctx, b.Records)
	if err != nil || len(rejected) == 0 {
		return err
	}
	reject := &sink.Reject{Records: make([]sink.Rejected, len(rejected))}
	for i, r := range rejected {
		reject.Records[i] = sink.Rejected(r)
	}
	return reject
}

// Work drops old days until ctx ends.
func (s *Sink) Work(ctx context.Context) error { return archive.Keep(ctx, retainer{s}, s.log) }

type retainer struct{ s *Sink }

func (r retainer) Retain(ctx context.Context, now time.Time) ([]string, error) {
	a, err := r.s.connected(ctx)
	if err != nil {
		return nil, err
	}
	return a.Retain(ctx, now)
}

// closeTimeout is how long disconnecting may take.
const closeTimeout = 5 * time.Second

// Close disconnects.
func (s *Sink) Close() error {
	if s.close == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.base, closeTimeout)
	defer cancel()
	if err := s.close(ctx); err != nil {
		return fmt.Errorf("disconnect from mongodb: %w", err)
	}
	return nil
}
