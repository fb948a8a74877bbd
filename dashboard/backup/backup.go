// Package backup writes the whole of a dashboard's store into one sealed file and
// brings a store back from it, whichever driver either has: the log with its
// texts, the callers' keys, people and their API tokens, the signing epoch, and
// the platform's key files. Views are rebuilt from the log; records, sessions and
// counted attempts are not in it.
//
// # The file, version 1
//
// A head of 92 bytes, numbers big-endian:
//
//	 0  14  "sluice-backup\n"
//	14   2  version: 1
//	16   4  argon2id (RFC 9106): memory in KiB
//	20   4  argon2id: passes
//	24   4  argon2id: lanes
//	28  32  salt
//	60  32  HMAC-SHA-256 of the 60 bytes before
//
// argon2id makes 32 bytes from the passphrase and the salt; HKDF-SHA-256
// (RFC 5869) derives the key of the head's HMAC ("sluice backup head") and that of
// the chunks ("sluice backup chunks"). Then come chunks of 64 KiB, the last one
// shorter or as long, each sealed with AES-256-GCM and followed by its tag of 16
// bytes. The nonce is the chunk's number from 0 on in 11 bytes, then 1 for the last
// chunk and 0 for all others: so a file that is cut, whose chunks change places or
// in which a bit is turned is refused. (This is the STREAM construction of Hoang,
// Reyhanitabar, Rogaway and Vizár, 2015.)
//
// What the chunks hold is one gzip member (RFC 1952) of records: a letter, the
// length as an unsigned varint, and the payload. All payloads but C are JSON.
//
//	M  manifest: when, by which release, from which driver; the first record
//	F  one key file of the platform: name and bytes
//	K  a key with the hashes of its secrets; a later one of the same id counts
//	C  a text of the log
//	R  a revision; the texts that it brings stand directly before it
//	U  a user
//	T  an API token
//	N  a mark of the store: name and number
//	E  the end: how many of each, and the SHA-256 of all bytes before this record
//
// Unknown letters are refused: they come from a newer release. Neither writing nor
// reading takes memory that grows with the store, but for one revision's changes.
package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
)

// What is wrong with a file, or with a store to restore into.
var (
	// ErrNoBackup: the file does not begin like a backup.
	ErrNoBackup = errors.New("this is no backup of a Sluice dashboard")
	// ErrNewer: the file has a version or a record that this release does not know.
	ErrNewer = errors.New("this backup was written by a newer release; use that one, or one after it")
	// ErrPassphrase: the passphrase is wrong, or the file's head was changed, which
	// nobody can tell apart.
	ErrPassphrase = errors.New("the passphrase is wrong, or the beginning of the file was changed")
	// ErrCut: the file ends too early.
	ErrCut = errors.New("the file is cut off: its end is missing")
	// ErrDamaged: bytes of the file are not those that were written.
	ErrDamaged = errors.New("the file is damaged")
	// ErrNotEmpty: the store has revisions, keys, users or tokens.
	ErrNotEmpty = errors.New("the store is not empty")
	// ErrUnfinished: a restore broke off in the middle.
	ErrUnfinished = errors.New("a restore of this store broke off")
)

// The marks of a store that this package knows.
const (
	markEpoch = "epoch" // the signing epoch; see publish.Marks
	// Both are set to the new epoch: one when a restore begins, one when all is in
	// place. Between the two the store must not be used.
	markBegun = "restore.begun"
	markDone  = "restore.done"
)

// MinPassphrase is how many bytes a passphrase has at least.
const MinPassphrase = 12

// Passphrase is what seals a backup: the text without the line's end.
func Passphrase(text string) (string, error) {
	text = strings.TrimRight(text, "\r\n")
	if len(text) < MinPassphrase {
		return "", fmt.Errorf("the passphrase has %d characters; use at least %d, since whoever has the file may try as long as they like", len(text), MinPassphrase)
	}
	return text, nil
}

// Manifest says what a backup is of.
type Manifest struct {
	CreatedAt time.Time `json:"createdAt"`
	Release   string    `json:"release"`
	Driver    string    `json:"driver"` // of the store that was read
}

// Counts is how many of each a backup holds.
type Counts struct {
	Contents  int64 `json:"contents"` // texts; one that several revisions bring is counted with each
	Revisions int64 `json:"revisions"`
	Keys      int64 `json:"keys"` // one that changed while it was written is counted again
	Users     int64 `json:"users"`
	Tokens    int64 `json:"tokens"`
	Files     int64 `json:"files"` // key files
	Marks     int64 `json:"marks"`
}

// Summary is a whole backup in short.
type Summary struct {
	Manifest
	Counts
	Epoch int64 `json:"epoch"` // that the store had
}

// String is one sentence for people.
func (s Summary) String() string {
	return fmt.Sprintf("%d revisions, %d keys, %d users, %d API tokens and %d key files of %s (release %s, store %s)",
		s.Revisions, s.Keys, s.Users, s.Tokens, s.Files, s.CreatedAt.UTC().Format(time.RFC3339), s.Release, s.Driver)
}

// Batch is a part of a store, in the order in which it must be written: contents
// and revisions (ascending) first.
type Batch struct {
	Contents  map[string][]byte // by SHA-256 in hex
	Revisions []publish.Revision
	Keys      []keys.Stored // takes the place of one with the same id, also within a batch
	Users     []people.User
	Tokens    []people.Token
}

// People is everybody, whatever their organisation. Both adapters' Store is one.
type People interface {
	Everyone(ctx context.Context) ([]people.User, []people.Token, error)
}

// Target is a store to restore into. Both adapters' Store is one.
type Target interface {
	// Empty tells whether the store has no revision, key, user and token.
	Empty(ctx context.Context) (bool, error)
	// Fill empties the store, sessions, attempts, views and marks too, writes what
	// fill puts, and sets the marks. Before the first of it is visible the mark
	// "restore.begun" is set to marks["restore.begun"]. fill may be called more than
	// once, each time for the whole.
	//
	// Where the driver can, all of it becomes visible at once or not at all; where it
	// cannot, an error that is ErrUnfinished says that the store is neither what it
	// was nor complete.
	Fill(ctx context.Context, marks map[string]int64, fill func(put func(Batch) error) error) error
}

// Generation is a number that rises whenever a restore of the store begins, 0 where
// none ever did. A dashboard that sees it rise works on what is not there any more.
func Generation(ctx context.Context, m publish.Marks) (int64, error) { return m.Mark(ctx, markBegun) }

// Ready returns ErrUnfinished, with the mend, for a store in which a restore
// broke off.
func Ready(ctx context.Context, m publish.Marks) error {
	begun, err := m.Mark(ctx, markBegun)
	if err != nil {
		return fmt.Errorf("looking whether a restore broke off: %w", err)
	}
	done, err := m.Mark(ctx, markDone)
	if err != nil {
		return fmt.Errorf("looking whether a restore broke off: %w", err)
	}
	if begun > done {
		return fmt.Errorf("%w, so it is not complete: run sluice-dashboard restore FILE --replace again", ErrUnfinished)
	}
	return nil
}
