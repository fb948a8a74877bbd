package publish

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Texts are an object's documents before and after a change; null where there
// was, or is, none.
type Texts struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Names returns what the objects of the changes were called once these were made,
// or before they were deleted, by the SHA-256 of the document that says it. It is
// for showing: a document that is lost, or has no name, is absent.
func (e *Engine) Names(ctx context.Context, changes []Change) (map[string]string, error) {
	sums := make([]string, 0, len(changes))
	for _, c := range changes {
		sums = append(sums, c.Says())
	}
	slices.Sort(sums)
	texts, err := e.o.Contents.Get(ctx, slices.Compact(sums))
	if err != nil {
		return nil, fmt.Errorf("reading names: %w", err)
	}
	names := make(map[string]string, len(texts))
	for sum, text := range texts {
		if name := nameIn(text); name != "" {
			names[sum] = name
		}
	}
	return names, nil
}

// nameIn reads no further than the name, which stands near the beginning of what
// may be long.
func nameIn(text []byte) (name string) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ""
		}
		if key == "name" {
			_ = d.Decode(&name) // another kind of value is no name
			return name
		}
		var other json.RawMessage
		if d.Decode(&other) != nil {
			return ""
		}
	}
	return ""
}

// Says is the SHA-256 of the document that the change left, or took away.
func (c Change) Says() string { return cmp.Or(c.After, c.Before) }

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
