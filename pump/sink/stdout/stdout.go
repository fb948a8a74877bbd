// Package stdout is a sink that writes records to the standard output, one JSON
// object per line, for containers whose output is collected and for looking on.
package stdout

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sluice-gateway/sluice/pump/line"
	"github.com/sluice-gateway/sluice/pump/sink"
)

// Config are the options.
type Config struct {
	// Stderr writes to the standard error instead, where the pump's own log is.
	// Default: false.
	Stderr bool `config:"stderr"`
}

type writer struct {
	mu  sync.Mutex
	out io.Writer
}

// Open makes the sink.
func Open(_ context.Context, c Config, _ sink.Env) (sink.Sink, error) {
	if c.Stderr {
		return &writer{out: os.Stderr}, nil
	}
	return &writer{out: os.Stdout}, nil
}

// Write prints a batch. What was printed before an error comes again with the whole
// batch: at least once.
func (w *writer) Write(ctx context.Context, b sink.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var text []byte
	for i := range b.Records {
		text = line.Append(text, &b.Records[i])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(text); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

// Close does nothing: the output is the process's.
func (w *writer) Close() error { return nil }
