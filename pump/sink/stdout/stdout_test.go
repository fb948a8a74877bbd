package stdout

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pump/sink"
	"github.com/sluice-gateway/sluice/pump/sink/sinktest"
)

func TestContract(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sink.Sink { return &writer{out: &bytes.Buffer{}} }, sinktest.Options{
		Ordered: true,
		Stored: func(t *testing.T, s sink.Sink) (ids []string) {
			for text := range strings.Lines(s.(*writer).out.(*bytes.Buffer).String()) {
				var one struct{ ID string }
				if err := json.Unmarshal([]byte(text), &one); err != nil {
					t.Fatalf("%v: %q", err, text)
				}
				ids = append(ids, one.ID)
			}
			return ids
		},
	})
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestAnOutputThatFailsIsTemporary(t *testing.T) {
	w := &writer{out: full{}}
	err := w.Write(t.Context(), sinktest.BatchOf(0, sinktest.Entries(0, 0, 1)))
	var reject *sink.Reject
	if err == nil || errors.As(err, &reject) || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}

func TestTheOutputIsChosen(t *testing.T) {
	for _, c := range []Config{{}, {Stderr: true}} {
		s, err := Open(t.Context(), c, sink.Env{Name: "out"})
		if err != nil || s.Close() != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
