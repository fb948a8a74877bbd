// Package sink is the contract between the pump and where records go. A sink is
// one folder below; pump/catalog lists them. Reading, batching, retries, the dead
// letters, filters and metrics are the pipeline's business, not a sink's.
package sink

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// Sink takes batches of records.
type Sink interface {
	// Write stores a batch; nil means that it is committed and may be acknowledged.
	// *Wait and every unknown error mean that the whole batch is offered again after a
	// pause; *Reject means that all but the named records are committed, and those
	// never can be. A batch may come again, also after a success: its records have the
	// same ids then. Shards call at the same time, each one batch at a time. The
	// records are the sink's to read until Write returns.
	Write(ctx context.Context, b Batch) error
	// Close lets go of everything. No Write runs any more.
	Close() error
}

// Worker is a Sink with something to do beside writing, such as dropping old days
// or answering scrapes. Work ends when ctx ends; an earlier error stops the pump.
type Worker interface {
	Sink
	Work(ctx context.Context) error
}

// Batch is some records of one shard, in the order of the stream.
type Batch struct {
	Shard    int
	From, To string // ids of the first and the last entry of the stream
	Records  []record.Entry
}

// Wait is a temporary error that knows when to try again.
type Wait struct {
	For time.Duration
	Err error
}

// Error says why, and when to try again.
// Error says what is wrong and when to try again.
func (w *Wait) Error() string { return fmt.Sprintf("%v (again in %s)", w.Err, w.For) }

// Unwrap gives the cause.
func (w *Wait) Unwrap() error { return w.Err }

// Reject names records that can never be stored; all others of the batch are.
type Reject struct{ Records []Rejected }

// Rejected is one of them, by its index in the batch.
type Rejected struct {
	Index  int
	Reason string
}

// Error tells how many, and the first reason.
// Error says how many and why the first.
func (r *Reject) Error() string {
	if len(r.Records) == 0 {
		return "no record was rejected"
	}
	return fmt.Sprintf("%d records were rejected, the first because %s", len(r.Records), r.Records[0].Reason)
}

// Env is what a sink gets beside its options.
type Env struct {
	Name string // of this sink, as configured; the name of its consumer group
	Data string // folder of the pump's data
	Log  *slog.Logger
}
