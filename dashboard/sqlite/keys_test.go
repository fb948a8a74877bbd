package sqlite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// manyKeys is a store with n keys of one organisation.
func manyKeys(t *testing.T, n int) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	first := keys.Stored{Key: access.Key{ID: "k_0", Org: "default", Alias: "orders", State: access.KeyActive, CreatedAt: time.UnixMilli(1)}}
	if err := s.Keys().Insert(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	_, err = s.db.Writer.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO keys (id, org, version, state, created_at, updated_at, policies, apis, search, hashes, key)
		SELECT 'k_' || i, org, version, state, created_at + i, updated_at, policies, apis, search, hashes, key FROM keys, n`, n-1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestANarrowedListIsCountedUpToABound(t *testing.T) {
	s := manyKeys(t, keys.MaxCounted+1)
	for name, at := range map[string]struct {
		q       keys.Query
		total   int
		atLeast bool
	}{
		"all":     {keys.Query{}, keys.MaxCounted + 1, false},
		"search":  {keys.Query{Q: "ord"}, keys.MaxCounted, true},
		"state":   {keys.Query{State: access.KeyActive}, keys.MaxCounted, true},
		"nothing": {keys.Query{Q: "payments"}, 0, false},
	} {
		at.q.Org, at.q.Limit = "default", 2
		p, err := s.Keys().List(t.Context(), at.q)
		if err != nil || p.Total != at.total || p.AtLeast != at.atLeast || (p.Next == "") != (at.total == 0) {
			t.Errorf("%s: %d keys of %d, at least %v, next %q, %v", name, len(p.Items), p.Total, p.AtLeast, p.Next, err)
		}
	}
	if _, err := s.db.Writer.ExecContext(t.Context(), `DELETE FROM keys WHERE id = 'k_7'`); err != nil {
		t.Fatal(err)
	}
	p, err := s.Keys().List(t.Context(), keys.Query{Org: "default", Q: "ord", Limit: 2})
	if err != nil || p.Total != keys.MaxCounted || p.AtLeast {
		t.Errorf("as many as are counted: %d, at least %v, %v", p.Total, p.AtLeast, err)
	}
}

func TestASearchReadsOneIndexAlone(t *testing.T) {
	s := manyKeys(t, 2)
	reads := func(index, table, order, where string, args []any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.db.Reader.QueryContext(t.Context(), `EXPLAIN QUERY PLAN SELECT rowid FROM `+table+` WHERE `+where+` ORDER BY `+order+` LIMIT 51`, args...)
		plan, err := collect(rows, err, func(row scanner) (step string, err error) {
			var id, parent, unused any
			return step, row.Scan(&id, &parent, &unused, &step)
		})
		text := strings.Join(plan, "\n")
		if err != nil || !strings.Contains(text, "USING COVERING INDEX "+index) || strings.Contains(text, "ORDER BY") {
			t.Errorf("%v:\n%s", err, text)
		}
	}
	where, args, err := keyFilter(keys.Query{Org: "default", Q: "o", State: access.KeyActive, Policy: "gold", API: "orders"})
	reads("keys_searched", "keys", "created_at DESC, id DESC", where, args, err)
	where, args, err = objectFilter(publish.Query{Org: "default", Kind: publish.KindAPI, Q: "o", State: "active", Tag: "gold"})
	reads("objects_searched", "objects", "sort_name, id", where, args, err)
}
