package sqlite

// schema of a day. The order of columns is that of column in row.go.
//
// failures holds what a search for errors looks at, so that it reads no row that
// does not match; requests has the ten minutes of the day before the hash of the
// request's id, so that batches write to few of its pages.
const schema = `
CREATE TABLE IF NOT EXISTS records (
	n       INTEGER PRIMARY KEY,
	id      TEXT    NOT NULL,
	node    TEXT    NOT NULL,
	grp     TEXT    NOT NULL,
	org     TEXT    NOT NULL,
	api     TEXT    NOT NULL,
	key     TEXT    NOT NULL,
	status  INTEGER NOT NULL,
	total   INTEGER NOT NULL,
	method  TEXT    NOT NULL,
	host    TEXT    NOT NULL,
	path    TEXT    NOT NULL,
	route   TEXT    NOT NULL,
	client  TEXT    NOT NULL,
	target  TEXT    NOT NULL,
	refusal TEXT    NOT NULL,
	request TEXT    NOT NULL,
	finder  INTEGER NOT NULL,
	rest    BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS ids ON records (id);
CREATE INDEX IF NOT EXISTS apis ON records (api);
CREATE INDEX IF NOT EXISTS keys ON records (key) WHERE key <> '';
CREATE INDEX IF NOT EXISTS requests ON records (finder) WHERE finder <> 0;
CREATE INDEX IF NOT EXISTS failures ON records (n, status, org, api) WHERE status >= 400;
`
