package sqlite

import (
	"path/filepath"
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

func TestRestore(t *testing.T) { backuptest.Run(t, true, part(whole)) }

// A table that a restore forgets would keep what belongs to another store.
func TestARestoreKnowsEveryTable(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "config.db"))
	rows, err := s.db.Reader.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	have, err := collect(rows, err, func(r scanner) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range have {
		if !slices.Contains(tables(), name) {
			t.Errorf("a restore leaves the table %s as it was: add it to tables, and to the backup what is in it, or say there why not", name)
		}
	}
	if len(have) != len(tables()) {
		t.Errorf("a restore empties %v, there are %v", tables(), have)
	}
}
