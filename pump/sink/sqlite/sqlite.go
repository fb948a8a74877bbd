// Package sqlite is the sink that keeps records in SQLite files on this machine, one
// a day, for the dashboard beside it to read.
package sqlite

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pump/sink"
)

var _ sink.Worker = (*Sink)(nil)

// Config are the options.
type Config struct {
	// Dir is the folder of the files, records-YYYYMMDD.db; it is made if absent, with
	// mode 0700. It must be on a local disk. Default: records in the pump's data.
	Dir string `config:"dir"`
	// Retention is how long records are kept; days (UTC) are dropped as a whole, when all
	// of them is older. To keep records for ever, set what is never reached, such as
	// 36500d. Default: 7d.
	Retention time.Duration `config:"retention"`
}

// DefaultRetention is how long records are kept where nothing is set.
const DefaultRetention = 7 * 24 * time.Hour

// fullWait is after how long a full disk is tried again.
const fullWait = 10 * time.Second

// Validate checks what one field alone cannot.
func (c Config) Validate() error {
	if c.Retention < 0 {
		return config.Invalid("retention", "it is negative", "use a number of days, such as 7d")
	}
	return nil
}

// Sink is one folder of files. It is safe for concurrent use.
type Sink struct {
	archive store
	log     *slog.Logger
}

// store is the archive; tests have others, whose disks are full.
type store interface {
	Insert(ctx context.Context, entries []record.Entry) ([]archive.Rejected, error)
	Retain(ctx context.Context, now time.Time) (dropped []string, err error)
	Close() error
}

// Open makes the folder; files are opened when records of their day come.
func Open(ctx context.Context, c Config, env sink.Env) (sink.Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	log := cmp.Or(env.Log, slog.New(slog.DiscardHandler))
	a, err := sqlite.Open(ctx, sqlite.Options{
		Dir: cmp.Or(c.Dir, filepath.Join(env.Data, "records")), Retention: cmp.Or(c.Retention, DefaultRetention), Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &Sink{archive: a, log: log}, nil
}

// Write stores a batch: it is on the disk when Write returns nil, and a record that
// comes again is stored once.
func (s *Sink) Write(ctx context.Context, b sink.Batch) error {
	rejected, err := s.archive.Insert(ctx, b.Records)
	switch {
	case sqlite.Full(err):
		return &sink.Wait{For: fullWait, Err: err}
	case err != nil:
		return err
	case len(rejected) == 0:
		return nil
	}
	reject := &sink.Reject{Records: make([]sink.Rejected, len(rejected))}
	for i, r := range rejected {
		reject.Records[i] = sink.Rejected(r)
	}
	return reject
}

// Work drops old days until ctx ends.
func (s *Sink) Work(ctx context.Context) error { return archive.Keep(ctx, s.archive, s.log) }

// Close closes the files.
func (s *Sink) Close() error { return s.archive.Close() }
