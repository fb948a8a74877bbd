package prometheus

import (
	"context"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

// noting is the sink, with the ids that it was given and took: its counters have none.
type noting struct {
	*Sink
	mu  sync.Mutex
	ids map[string]bool
}

func (n *noting) Write(ctx context.Context, b sink.Batch) error {
	err := n.Sink.Write(ctx, b)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range b.Records {
		n.ids[b.Records[i].ID] = n.ids[b.Records[i].ID] || err == nil
	}
	return err
}

func TestContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sink.Sink {
		s, err := Open(t.Context(), Config{Listen: Listen{Address: "127.0.0.1:0"}, Labels: labelNames()}, testEnv(t))
		if err != nil {
			t.Fatal(err)
		}
		return &noting{Sink: s.(*Sink), ids: map[string]bool{}}
	}, sinktest.Options{Counting: true, Once: true, Stored: func(t *testing.T, s sink.Sink) []string {
		n := s.(*noting)
		var taken []string
		for id, took := range n.ids {
			if took {
				taken = append(taken, id)
			}
		}
		m := gathered(t, n.Sink)
		for _, name := range []string{"sluice_requests_total", "http_server_request_duration_seconds", "http_server_response_body_size_bytes"} {
			if got := total(m[name]); got != float64(len(taken)) {
				t.Errorf("%s counts %v of %d records", name, got, len(taken))
			}
		}
		return taken
	}})
}
