package app

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
)

// restoreEvery is how often the dashboard looks whether its store was restored.
const restoreEvery = 5 * time.Second

// watchRestore ends the dashboard when a restore of its store begins: what it knows of
// the log is of another store then. Started again, it reads everything anew.
func (a *App) watchRestore(ctx context.Context) error {
	tick := time.NewTicker(restoreEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := backup.Generation(ctx, a.st.marks)
		if err == nil && now > a.generation { // a store that is away is told by others
			return errors.New("the store was restored from a backup while this dashboard was running: start it again")
		}
	}
}
