package app

import (
	"context"
	"fmt"

	"github.com/sluice-gateway/sluice/pkg/archive"
	archivemongo "github.com/sluice-gateway/sluice/pkg/archive/mongo"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// lazyMongo reads records from MongoDB over connections of its own, so that
// searches never take those of the store. It connects when it is first asked: the
// dashboard starts without it.
type lazyMongo struct {
	config mongodb.Config
	turn   chan struct{} // holds one; who has it opens or closes
	opened *archivemongo.Archive
	end    func(context.Context) error
}

func newLazyMongo(c mongodb.Config) *lazyMongo {
	return &lazyMongo{config: c, turn: make(chan struct{}, 1)}
}

// get connects if nobody has yet.
func (l *lazyMongo) get(ctx context.Context) (*archivemongo.Archive, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a connection to the records: %w", ctx.Err())
	}
	if l.opened == nil {
		db, end, err := mongodb.Open(ctx, l.config)
		if err != nil {
			return nil, fmt.Errorf("connecting to the records: %w", err)
		}
		l.opened, l.end = archivemongo.New(db, archivemongo.Options{}), end
	}
	return l.opened, nil
}

// Find returns a page of records.
func (l *lazyMongo) Find(ctx context.Context, f archive.Filter, after archive.Cursor, limit int) (archive.Page[record.Entry], error) {
	a, err := l.get(ctx)
	if err != nil {
		return archive.Page[record.Entry]{}, err
	}
	return a.Find(ctx, f, after, limit)
}

// Get returns one record.
func (l *lazyMongo) Get(ctx context.Context, id string) (record.Entry, error) {
	a, err := l.get(ctx)
	if err != nil {
		return record.Entry{}, err
	}
	return a.Get(ctx, id)
}

// Days are the days that have records.
func (l *lazyMongo) Days(ctx context.Context) ([]archive.Day, error) {
	a, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return a.Days(ctx)
}

// close disconnects. No call may be under way.
func (l *lazyMongo) close(ctx context.Context) error {
	if l.end == nil {
		return nil
	}
	return l.end(ctx)
}
