package calls

import (
	"context"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Store is where pumps keep records; the dashboard only reads there. The adapters
// of pkg/archive are it. Safe for concurrent use.
type Store interface {
	// Find returns a page of the records that the filter finds behind a cursor, newest
	// first, 1 to archive.MaxPage of them.
	Find(ctx context.Context, f archive.Filter, after archive.Cursor, limit int) (archive.Page[record.Entry], error)
	// Get returns one record, or archive.ErrNotFound.
	Get(ctx context.Context, id string) (record.Entry, error)
}

// Names knows what APIs are called; Published does.
type Names interface {
	// Names returns the names of an organisation's APIs that exist, by their ids.
	Names(ctx context.Context, org string, ids []string) (map[string]string, error)
}

// Published knows the names that are published.
type Published struct{ Engine *publish.Engine }

// Names returns the names of an organisation's APIs that exist, by their ids.
func (p Published) Names(ctx context.Context, org string, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	err := p.Engine.View(ctx, func(s *publish.State) error {
		for _, id := range ids {
			if e, ok := s.Get(publish.Ref{Org: org, Kind: publish.KindAPI, ID: id}); ok {
				names[id] = e.Name
			}
		}
		return nil
	})
	return names, err
}
