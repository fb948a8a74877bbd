// Package checkup is what `sluice-dashboard doctor` wants to know about the store: its
// server, its migrations, and whether the log of revisions is whole. Both adapters
// answer without changing anything, so that a look does not migrate.
package checkup

import (
	"context"
	"fmt"
	"sort"
)

// Facts are what a store says of itself.
type Facts struct {
	// Server is the database with its version, such as "SQLite 3.50.4".
	Server string
	// TooOld says which version is needed; empty where Server is recent enough.
	TooOld string
	// Steps are the migrations that were run, Known those that this program knows.
	Steps, Known int
	// Newest is the highest number of the log of revisions, 0 when it is empty.
	// Numbers start at 1 and have no gaps, so Count, the revisions that there are, is
	// the same in a whole one.
	Newest, Count int64
	// Gap is the lowest number that is missing, 0 if none is.
	Gap int64
	// Applied is the revision up to which every view is folded, Epoch the signing epoch.
	Applied, Epoch int64
}

// FirstGap finds the lowest number that is missing between 1 and newest, 0 if none is.
// upTo counts the numbers up to one.
func FirstGap(ctx context.Context, newest int64, upTo func(ctx context.Context, n int64) (int64, error)) (int64, error) {
	var failed error
	i := sort.Search(int(newest), func(i int) bool {
		if failed != nil {
			return true
		}
		n := int64(i) + 1
		count, err := upTo(ctx, n)
		failed = err
		return count < n
	})
	if failed != nil {
		return 0, fmt.Errorf("looking for what is missing in the log: %w", failed)
	}
	if int64(i) == newest {
		return 0, nil
	}
	return int64(i) + 1, nil
}
