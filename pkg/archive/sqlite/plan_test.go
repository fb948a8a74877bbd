package sqlite

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Every question is answered in the order of an index or of the table: nothing is
// sorted but the few records of one request's id.
func TestPlans(t *testing.T) {
	a, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	now := time.Now().UTC()
	if _, err := a.Insert(t.Context(), []record.Entry{{ID: "x", Record: record.Record{At: now}}}); err != nil {
		t.Fatal(err)
	}
	d := archive.DayOf(now)
	const byNumber = "SEARCH records USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"
	for name, c := range map[string]struct {
		f    archive.Filter
		want string
		sort bool
	}{
		"newest":                {archive.Filter{Org: "o"}, byNumber, false},
		"path":                  {archive.Filter{Path: "/x*", Method: "GET"}, byNumber, false},
		"text":                  {archive.Filter{Text: "x"}, byNumber, false},
		"slow":                  {archive.Filter{SlowerThan: time.Second}, byNumber, false},
		"answered well":         {archive.Filter{StatusMin: 200, StatusMax: 299}, byNumber, false},
		"api":                   {archive.Filter{API: "a", Org: "o"}, "SEARCH records USING INDEX apis (api=? AND rowid>? AND rowid<?)", false},
		"no api":                {archive.Filter{NoAPI: true}, "SEARCH records USING INDEX apis (api=? AND rowid>? AND rowid<?)", false},
		"key":                   {archive.Filter{Key: "k", API: "a"}, "SEARCH records USING INDEX keys (key=? AND rowid>? AND rowid<?)", false},
		"failures":              {archive.Filter{StatusMin: 500, StatusMax: 599}, "SEARCH records USING INDEX failures (n>? AND n<?)", false},
		"failures of an api":    {archive.Filter{StatusMin: 400, API: "a", Org: "o"}, "SEARCH records USING INDEX failures (n>? AND n<?)", false},
		"request":               {archive.Filter{RequestID: "r", Key: "k", API: "a"}, "SEARCH records USING INDEX requests (finder=? AND rowid>? AND rowid<?)", true},
		"failures of a request": {archive.Filter{RequestID: "r", StatusMin: 500}, "SEARCH records USING INDEX requests (finder=? AND rowid>? AND rowid<?)", true},
	} {
		q := archive.Question{Filter: c.f, Day: d}
		q.From, q.To = d.Start(), d.End()
		for _, after := range []archive.Cursor{{}, {At: now, ID: "x"}} {
			q.After = after
			err := a.read(t.Context(), d, func(db *sql.DB) error {
				k, err := a.conditions(t.Context(), db, q)
				if err != nil {
					return err
				}
				got, err := plan(db, k.sql(columns)+" ORDER BY n DESC LIMIT 51", k.args)
				if err != nil {
					return err
				}
				if !strings.HasPrefix(got, c.want) || !c.sort && strings.Contains(got, "TEMP B-TREE") {
					t.Errorf("%s: %s", name, got)
				}
				got, err = plan(db, k.sql("1"), k.args)
				if strings.Contains(name, "failures of an api") && !strings.Contains(got, "COVERING") {
					t.Errorf("counting %s reads rows: %s", name, got)
				}
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if got, err := plan(mustOpen(t, a.path(d)), "SELECT n FROM records WHERE id = ?", []any{"x"}); err != nil || !strings.Contains(got, "COVERING INDEX ids (id=?)") {
		t.Errorf("by id: %s %v", got, err)
	}
}

func mustOpen(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := openReader(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func plan(db *sql.DB, query string, args []any) (string, error) {
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return "", err
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, "; "), rows.Err()
}

// Records whose place is taken, here by others with the same hash, move on within
// their microsecond.
func TestTakenPlaces(t *testing.T) {
	a, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	at := time.Now().UTC().Truncate(time.Microsecond)
	d := archive.DayOf(at)
	var in []record.Entry
	for i := range 40 {
		in = append(in, record.Entry{ID: fmt.Sprint("p", i), Record: record.Record{At: at}})
	}
	// The places that the records would have are taken from the highest down to some.
	err = a.with(t.Context(), d, true, func(h *handle) error {
		for _, e := range in[:35] {
			row := values(nil, d, &e)
			row[1] = "other " + e.ID
			if _, err := h.one.Exec(row...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again: they are there already
		if _, err := a.Insert(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for after := (archive.Cursor{}); ; {
		page, err := a.Find(t.Context(), archive.Filter{}, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if seen[e.ID] || !e.At.Equal(at) {
				t.Errorf("%s twice, or at %s", e.ID, e.At)
			}
			seen[e.ID] = true
		}
		if after = page.Next; after == (archive.Cursor{}) {
			break
		}
	}
	if len(seen) != 75 {
		t.Errorf("%d records, want 75", len(seen))
	}
	for _, e := range in {
		if got, err := a.Get(t.Context(), e.ID); err != nil || got.ID != e.ID {
			t.Errorf("%s: %v", e.ID, err)
		}
	}
}

func TestPlaceIsTheOrderOfTime(t *testing.T) {
	d := archive.DayOf(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC))
	last := d.End().Add(-time.Microsecond)
	for _, at1 := range []time.Time{d.Start(), d.Start().Add(time.Microsecond), last} {
		n := place(d, at1, "any")
		if !at(d, n).Equal(at1) || n < first(d, at1.UnixMicro()) || n >= first(d, at1.UnixMicro()+1) {
			t.Errorf("%s has number %d, which is of %s", at1, n, at(d, n))
		}
	}
}

func TestFullDiskIsTold(t *testing.T) {
	a, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	at := time.Now().UTC()
	d := archive.DayOf(at)
	limit := func(pages int) {
		t.Helper()
		err := a.with(t.Context(), d, true, func(h *handle) error {
			_, err := h.db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var in []record.Entry
	for i := range 500 {
		in = append(in, record.Entry{ID: fmt.Sprint("f", i), Record: record.Record{At: at, Path: strings.Repeat("x", 1000)}})
	}
	limit(40)
	if _, err := a.Insert(t.Context(), in); !Full(err) {
		t.Fatalf("got %v", err)
	}
	if page, err := a.Find(t.Context(), archive.Filter{}, archive.Cursor{}, 10); err != nil || len(page.Entries) != 0 {
		t.Errorf("%d records of a batch that failed, %v", len(page.Entries), err)
	}
	limit(1 << 20)
	if _, err := a.Insert(t.Context(), in); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if page, err := a.Find(t.Context(), archive.Filter{}, archive.Cursor{}, 10); err != nil || page.Total != 500 {
		t.Errorf("%d records, %v", page.Total, err)
	}
}
