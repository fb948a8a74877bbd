// Package sqlite keeps records in one SQLite file a day, DIR/records-YYYYMMDD.db.
// One pump writes them; any number of other processes read them (ReadOnly), open a
// day when it is asked for, and notice new and dropped days by themselves. They must
// run as the same user, since readers and the writer of a write-ahead log share its
// index (the -shm file).
//
// A row is a call. Its number, n, is its place in the day: the microseconds since
// midnight UTC, 26 bits up, and below them bits of the id's hash, so that the table
// lies in the order in which it is read, its indexes end in that order at the price
// of eight bytes, and records of one microsecond have an order. The columns are what
// filters look at; rest is the wire form (pkg/record) of all that has no column.
// Later releases may add columns and indexes but never change or drop one, so older
// readers go on reading.
//
// A commit is on the disk when Insert returns (synchronous=FULL): records are
// acknowledged in Redis then, so a power cut must not take them back. It costs one
// fsync for a batch and day; with batches of 500 and more the difference to
// synchronous=NORMAL was less than the noise of a shared machine.
//
// Measured with go test -bench . (shared cores, so the clock is pessimistic): 27 to 42
// us of processor time for a record with all indexes, 620 bytes on the disk. Of the
// bytes that are written, log included, the index of keys is two fifths, since busy
// batches touch many of its pages; an index of the request's id as text would cost a
// quarter more than the one of its hash below its part of the day.
//
// A day whose file is damaged is skipped by readers, who say so in Page.Skipped. A
// writer moves it aside, to records-YYYYMMDD.db.damaged-UNIXTIME, begins the day
// anew and logs it; retention drops what was moved aside with its day.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Options say where an archive lies and who may do what.
type Options struct {
	// Dir is the folder of the files. A writer creates it (0700); where a reader does
	// not find it there are no records.
	Dir string
	// ReadOnly is for all but the pump: Insert and Retain are refused.
	ReadOnly bool
	// Retention is how long records are kept; whole days are dropped. 0: for ever.
	Retention time.Duration
	// Log hears of damaged files. Default: nothing is logged.
	Log *slog.Logger
	// Now is the clock that late records are judged by. Default: time.Now.
	Now func() time.Time
}

// Archive is the folder of files. It is safe for concurrent use.
type Archive struct {
	o  Options
	mu sync.Mutex // guards what follows
	// handles are open files by name, writers and readers apart.
	writers, readers handles
	closed           bool
}

// Open opens an archive; no file is opened yet.
func Open(_ context.Context, o Options) (*Archive, error) {
	if o.Dir == "" {
		return nil, errors.New("sqlite archive: no folder is named")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("sqlite archive: %w", err)
	}
	o.Dir = dir
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if !o.ReadOnly { // it is told at the start when that cannot be
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("sqlite archive: create the folder: %w", err)
		}
	}
	return &Archive{o: o, writers: handles{limit: 3}, readers: handles{limit: 8}}, nil
}

// Close closes the files. No call may be under way.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	return errors.Join(a.readers.close(), a.writers.close())
}

// Full tells whether an error says that the disk, or what a quota leaves of it, is
// full.
func Full(err error) bool {
	return primary(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
