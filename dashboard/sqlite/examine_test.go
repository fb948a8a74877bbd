package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
	"github.com/sluice-gateway/sluice/dashboard/checkup/checkuptest"
	"github.com/sluice-gateway/sluice/pkg/sqlitedb"
)

func TestExamine(t *testing.T) {
	checkuptest.Run(t, "SQLite", func(t *testing.T) checkuptest.Store {
		path := filepath.Join(t.TempDir(), "config.db")
		s := open(t, path)
		return checkuptest.Store{
			Log: s.Log(), Marks: s.Marks(),
			Examine: func(ctx context.Context) (checkup.Facts, error) { return Examine(ctx, path) },
			Drop: func(t *testing.T, n int64) {
				if _, err := s.db.Writer.ExecContext(t.Context(), `DELETE FROM revisions WHERE n = ?`, n); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestExamineMakesAndMigratesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.db")
	if _, err := Examine(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file was made")
	}
	db, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Migrations: migrations()[:1]})
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if f, err := Examine(t.Context(), path); err != nil || f.Steps != 1 || f.Known != len(migrations()) {
			t.Errorf("a store of an older release: %+v, %v", f, err)
		}
	}
	if err := os.WriteFile(path, []byte("this is no database, whatever its name says, and long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Examine(t.Context(), path); err == nil {
		t.Errorf("a file that is no database: %+v", f)
	}
}

func TestExamineWhileItIsClosedCleanly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.db")
	s, err := Open(t.Context(), path)
	if err == nil {
		err = s.Close(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Examine(t.Context(), path); err != nil || f.Steps != f.Known {
		t.Errorf("%+v, %v", f, err)
	}
}
