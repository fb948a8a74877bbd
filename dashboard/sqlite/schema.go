package sqlite

// migrations are the steps of the schema, forward only: a step that was released
// never changes, new ones are added at the end. A step may only add what an older
// dashboard on the same file can ignore.
func migrations() []string {
	return []string{schemaV1, schemaV2, schemaDrafts}
}

// In objects the text is the last column, so that a list that filters and sorts
// reads no page of a text.
const schemaV1 = `
CREATE TABLE revisions (
	n       INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	author  TEXT    NOT NULL,
	note    TEXT    NOT NULL,
	changes TEXT    NOT NULL
) STRICT;
CREATE TABLE revision_objects (
	kind TEXT    NOT NULL,
	id   TEXT    NOT NULL,
	n    INTEGER NOT NULL,
	PRIMARY KEY (kind, id, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
	sha  TEXT NOT NULL UNIQUE,
	text BLOB NOT NULL
) STRICT;
CREATE TABLE objects (
	kind       TEXT    NOT NULL,
	org        TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	rev        INTEGER NOT NULL,
	sha        TEXT    NOT NULL,
	deleted    INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	updated_by TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	sort_name  TEXT    NOT NULL,
	state      TEXT    NOT NULL,
	tags       TEXT    NOT NULL,
	groups     TEXT    NOT NULL,
	search     TEXT    NOT NULL,
	text       BLOB,
	UNIQUE (kind, org, id)
) STRICT;
CREATE INDEX objects_by_name ON objects (kind, org, deleted, sort_name, id);
CREATE INDEX objects_by_time ON objects (kind, org, deleted, updated_at DESC, id);
CREATE TABLE marks (
	name  TEXT    NOT NULL PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
	id         TEXT    NOT NULL UNIQUE,
	org        TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	state      TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL,
	policies   TEXT    NOT NULL,
	apis       TEXT    NOT NULL,
	search     TEXT    NOT NULL,
	hashes     TEXT    NOT NULL,
	key        TEXT    NOT NULL
) STRICT;
CREATE INDEX keys_by_age ON keys (org, created_at DESC, id DESC);
CREATE INDEX keys_by_change ON keys (updated_at, id);
CREATE TABLE key_hashes (
	hash   TEXT NOT NULL PRIMARY KEY,
	key_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_hashes_by_key ON key_hashes (key_id);
CREATE TABLE users (
	id            TEXT    NOT NULL PRIMARY KEY,
	org           TEXT    NOT NULL,
	login         TEXT    NOT NULL UNIQUE,
	name          TEXT    NOT NULL,
	password_hash TEXT    NOT NULL,
	must_change   INTEGER NOT NULL,
	role          TEXT    NOT NULL,
	suspended     INTEGER NOT NULL,
	locale        TEXT    NOT NULL,
	time_zone     TEXT    NOT NULL,
	theme         TEXT    NOT NULL,
	version       INTEGER NOT NULL,
	created_at    INTEGER NOT NULL,
	updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_org ON users (org, login);
CREATE TABLE sessions (
	id         TEXT    NOT NULL PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	csrf       TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	address    TEXT    NOT NULL,
	agent      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE TABLE tokens (
	id         TEXT    NOT NULL PRIMARY KEY,
	org        TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	prefix     TEXT    NOT NULL,
	hash       TEXT    NOT NULL UNIQUE,
	role       TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_org ON tokens (org, created_at DESC, id);
CREATE TABLE attempts (
	key        TEXT    NOT NULL PRIMARY KEY,
	failed     INTEGER NOT NULL,
	held_until INTEGER NOT NULL,
	at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_time ON attempts (at);
`

// A search reads one of these indexes alone: a tenth of what the table has.
const schemaV2 = `
CREATE INDEX keys_searched ON keys (org, created_at DESC, id DESC, state, policies, apis, search);
CREATE INDEX objects_searched ON objects (kind, org, deleted, sort_name, id, state, tags, search);
`

// The text is the last column, so that a list reads no page of one.
const schemaDrafts = `
CREATE TABLE drafts (
	id         TEXT    NOT NULL UNIQUE,
	org        TEXT    NOT NULL,
	kind       TEXT    NOT NULL,
	object     TEXT    NOT NULL,
	owner      TEXT    NOT NULL,
	state      TEXT    NOT NULL,
	slot       TEXT    NOT NULL UNIQUE,
	version    INTEGER NOT NULL,
	due_at     INTEGER,
	updated_at INTEGER NOT NULL,
	draft      TEXT    NOT NULL,
	text       BLOB    NOT NULL
) STRICT;
CREATE INDEX drafts_by_time ON drafts (org, updated_at DESC, id DESC);
CREATE INDEX drafts_due ON drafts (due_at) WHERE due_at IS NOT NULL;
`
