package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/sluice-gateway/sluice/dashboard/checkup"
)

// Examine tells how the file at path is, without making it or migrating it. A file
// that is not there is an fs.ErrNotExist.
func Examine(ctx context.Context, path string) (f checkup.Facts, err error) {
	if _, err := os.Stat(path); err != nil {
		return f, err
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(2000)", "query_only(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return f, fmt.Errorf("sqlite %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	f.Known = len(migrations())
	var version string
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return f, fmt.Errorf("sqlite %s: %w", path, err)
	}
	f.Server = "SQLite " + version
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&f.Steps); err != nil {
		return f, fmt.Errorf("sqlite %s: read the version of its schema: %w", path, err)
	}
	if f.Steps == 0 {
		return f, nil // made, and nothing in it yet
	}
	row := db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM revisions), (SELECT coalesce(max(n), 0) FROM revisions),
		coalesce((SELECT value FROM marks WHERE name = 'applied'), 0), coalesce((SELECT value FROM marks WHERE name = 'epoch'), 0)`)
	if err := row.Scan(&f.Count, &f.Newest, &f.Applied, &f.Epoch); err != nil {
		return f, fmt.Errorf("sqlite %s: read the log: %w", path, err)
	}
	if f.Count == f.Newest {
		return f, nil
	}
	f.Gap, err = checkup.FirstGap(ctx, f.Newest, func(ctx context.Context, n int64) (count int64, err error) {
		err = db.QueryRowContext(ctx, `SELECT count(*) FROM revisions WHERE n <= ?`, n).Scan(&count)
		return count, err
	})
	return f, err
}
