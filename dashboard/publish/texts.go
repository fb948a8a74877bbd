package publish

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Texts are an object's documents before and after a change; null where there
// was, or is, none.
type Texts struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Change returns what a revision did to the document of one object. Faults:
// "revision.no_change" when the revision is not about it, "content.not_found" when
// the store lost a document.
func (e *Engine) Change(ctx context.Context, r Revision, kind, id string) (t Texts, err error) {
	for _, c := range r.Changes {
		if c.Kind != kind || c.ID != id {
			continue
		}
		if c.Before != "" {
			if t.Before, err = e.Text(ctx, c.Before); err != nil {
				return Texts{}, fmt.Errorf("reading the document before revision %d: %w", r.N, err)
			}
		}
		if c.After != "" {
			if t.After, err = e.Text(ctx, c.After); err != nil {
				return Texts{}, fmt.Errorf("reading the document after revision %d: %w", r.N, err)
			}
		}
		return t, nil
	}
	return Texts{}, fault.New(fault.NotFound, "revision.no_change", "revision %d did not change this object; its changes list the ones that it did", r.N).
		With("revision", r.N)
}
