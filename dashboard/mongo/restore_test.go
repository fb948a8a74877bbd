package mongo

import (
	"slices"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/backup/backuptest"
)

func whole(s *Store) backuptest.Store {
	return backuptest.Store{
		Log: s.Log(), Contents: s.Contents(), Views: s.Views(), Marks: s.Marks(), Keys: s.Keys(), Users: s.Users(),
		Sessions: s.Sessions(), Tokens: s.Tokens(), Attempts: s.Attempts(), Everyone: s, Target: s,
	}
}

func TestRestore(t *testing.T) { backuptest.Run(t, false, part(whole)) }

// A collection that a restore forgets would keep what belongs to another store.
func TestARestoreKnowsEveryCollection(t *testing.T) {
	for _, x := range indexes() {
		if !slices.Contains(filled(), x.collection) {
			t.Errorf("a restore leaves the collection %s as it was: add it to filled, and to the backup what is in it, or say there why not", x.collection)
		}
	}
}
