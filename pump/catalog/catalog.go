// Package catalog is the list of the sinks that there are, and the union of their
// options. It is a package of its own because sinks import their contract, package
// sink, which therefore cannot import them.
package catalog

import (
	"context"

	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/jsonl"
	"github.com/sluice-gateway/sluice/pump/sink/mongo"
	"github.com/sluice-gateway/sluice/pump/sink/prometheus"
	"github.com/sluice-gateway/sluice/pump/sink/sqlite"
	"github.com/sluice-gateway/sluice/pump/sink/stdout"
)

// Options are those of all types of sinks; a sink uses the ones that are called as
// its type.
type Options struct {
	// SQLite are the options of sinks of the type sqlite: a file of records for each day,
	// which the dashboard on the same machine reads.
	SQLite sqlite.Config `config:"sqlite"`
	// MongoDB are the options of sinks of the type mongodb: a collection of records for
	// each day, which dashboards read.
	MongoDB mongo.Config `config:"mongodb"`
	// Prometheus are the options of sinks of the type prometheus: counters and histograms
	// on a listener of their own.
	Prometheus prometheus.Config `config:"prometheus"`
	// JSONL are the options of sinks of the type jsonl: files with one JSON object per
	// line.
	JSONL jsonl.Config `config:"jsonl"`
	// Stdout are the options of sinks of the type stdout: one JSON object per line on
	// the standard output.
	Stdout stdout.Config `config:"stdout"`
	// options end
}

// Kind is a type of sinks.
type Kind struct {
	Type     string // as in a configuration, and the name of its options
	Counting bool   // gets also the records that are for counters only
	Open     func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error)
}

// List is every type of sinks.
func List() []Kind {
	return []Kind{
		{"sqlite", false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {
			return sqlite.Open(ctx, o.SQLite, env)
		}},
		{"mongodb", false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {
			return mongo.Open(ctx, o.MongoDB, env)
		}},
		{"prometheus", true, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {
			return prometheus.Open(ctx, o.Prometheus, env)
		}},
		{"jsonl", false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {
			return jsonl.Open(ctx, o.JSONL, env)
		}},
		{"stdout", false, func(ctx context.Context, o Options, env sink.Env) (sink.Sink, error) {
			return stdout.Open(ctx, o.Stdout, env)
		}},
		// sinks end
	}
}
