package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/pkg/archive"
	archivesqlite "github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/httpd"
)

// shelves is an archive that is read.
type shelves interface {
	calls.Store
	// Days are the days that have records, in any order.
	Days(ctx context.Context) ([]archive.Day, error)
}

// records is where requests are looked up, whichever driver keeps them.
type records struct {
	shelves        // nil: nowhere
	place   string // for messages; without secrets
	close   func(context.Context) error
}

// openRecords opens the archive that the configuration names. Neither a folder nor
// a server needs to be there yet.
func openRecords(ctx context.Context, c Config, log *slog.Logger) (records, error) {
	switch c.recordsDriver() {
	case driverNone:
		return records{close: func(context.Context) error { return nil }}, nil
	case driverMongoDB:
		a := newLazyMongo(c.recordsMongo())
		return records{a, fmt.Sprintf("MongoDB %s (records.mongodb.database)", c.recordsMongo().Database), a.close}, nil
	}
	a, err := archivesqlite.Open(ctx, archivesqlite.Options{Dir: c.Records.Dir, ReadOnly: true, Log: log})
	if err != nil {
		return records{}, fmt.Errorf("opening the records: %w", err)
	}
	return records{a, c.Records.Dir + " (records.dir)", func(context.Context) error { return a.Close() }}, nil
}

// options are those of the service that answers from these records.
func (r records) options(known calls.Names) calls.Options {
	o := calls.Options{Place: r.place, Names: known}
	if r.shelves != nil {
		o.Store, o.Kept = r.shelves, r.kept
	}
	return o
}

// kept tells whether any record was ever written, and not dropped since.
func (r records) kept(ctx context.Context) (bool, error) {
	days, err := r.Days(ctx)
	return len(days) > 0, err
}

// check is the health of what the dashboard only reads: that there is nothing yet
// is no failure.
func (r records) check(ctx context.Context) (httpd.Status, string) {
	if r.shelves == nil {
		return httpd.Pass, "none (records.driver)"
	}
	days, err := r.Days(ctx)
	switch {
	case err != nil:
		return httpd.Warn, err.Error()
	case len(days) == 0:
		return httpd.Pass, "nothing yet in " + r.place
	}
	newest := days[0]
	for _, d := range days[1:] {
		if d.Start().After(newest.Start()) {
			newest = d
		}
	}
	return httpd.Pass, fmt.Sprintf("%d days, the newest is %s, in %s", len(days), newest, r.place)
}
