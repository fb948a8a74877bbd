package sqlite_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/pkg/archive/archivetest"
	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
)

func open(t testing.TB, o sqlite.Options) *sqlite.Archive {
	t.Helper()
	a, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestContract(t *testing.T) {
	archivetest.Run(t, func(t *testing.T, o archivetest.Options) (writer, reader archivetest.Archive) {
		dir := t.TempDir()
		return open(t, sqlite.Options{Dir: dir, Retention: o.Retention, Now: o.Now}), open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	})
}
