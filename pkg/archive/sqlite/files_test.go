package sqlite_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/archive/sqlite"
	"github.com/sluice-gateway/sluice/pkg/record"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// today is in the middle of the day on which a test begins, so that no test crosses
// midnight.
func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) }

func file(dir string, at time.Time) string {
	return filepath.Join(dir, "records-"+at.Format("20060102")+".db")
}

func entries(at time.Time, from, to int) (list []record.Entry) {
	for i := from; i < to; i++ {
		list = append(list, record.Entry{ID: fmt.Sprintf("e-%d", i), Record: record.Record{
			At: at.Add(time.Duration(i) * time.Millisecond), API: "a", Path: fmt.Sprintf("/%d", i), Status: 200, UserAgent: strings.Repeat("x", 200),
		}})
	}
	return list
}

func insert(t testing.TB, a *sqlite.Archive, list []record.Entry) {
	t.Helper()
	if rejected, err := a.Insert(t.Context(), list); err != nil || len(rejected) > 0 {
		t.Fatal(rejected, err)
	}
}

func find(t testing.TB, a *sqlite.Archive, f archive.Filter) archive.Page[record.Entry] {
	t.Helper()
	page, err := a.Find(t.Context(), f, archive.Cursor{}, archive.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	a := open(t, sqlite.Options{Dir: dir})
	insert(t, a, entries(today(), 0, 10))
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 3 { // with its log and index
		t.Fatal(names, err)
	}
	for _, n := range append(names, dir) {
		info, err := os.Stat(n)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", n, info, err)
		}
	}
}

func TestReaderDoesNotNeedAFolderAndWritesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not there")
	r := open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	if page := find(t, r, archive.Filter{}); len(page.Entries) != 0 || page.Skipped != nil {
		t.Errorf("%+v", page)
	}
	if _, err := r.Insert(t.Context(), entries(today(), 0, 1)); err == nil {
		t.Error("a reader inserted")
	}
	if _, err := r.Retain(t.Context(), today()); err == nil {
		t.Error("a reader dropped")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a reader made the folder: %v", err)
	}
	insert(t, open(t, sqlite.Options{Dir: dir}), entries(today(), 0, 3))
	if page := find(t, r, archive.Filter{}); len(page.Entries) != 3 {
		t.Errorf("%d records once there are some", len(page.Entries))
	}
	if err := os.WriteFile(file(dir, today().AddDate(0, 0, -1)), nil, 0o600); err != nil { // as a writer makes it first
		t.Fatal(err)
	}
	for _, name := range []string{"records-2026.db", "records-20261399.db", "records-20260101.db.damaged-1", "other.db", "records-20260102.db-wal"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if page := find(t, r, archive.Filter{}); len(page.Entries) != 3 || page.Skipped != nil {
		t.Errorf("%d records beside other files, skipped %v", len(page.Entries), page.Skipped)
	}
}

func TestMoreDaysThanOpenFiles(t *testing.T) {
	dir := t.TempDir()
	a, r := open(t, sqlite.Options{Dir: dir}), open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	var in []record.Entry
	for i := range 20 {
		e := entries(today().AddDate(0, 0, -i), i, i+1)
		in = append(in, e...)
	}
	insert(t, a, in)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				page, err := r.Find(t.Context(), archive.Filter{}, archive.Cursor{}, 100)
				if err != nil || len(page.Entries) != 20 || page.Skipped != nil {
					t.Error(len(page.Entries), page.Skipped, err)
				}
			}
		})
	}
	wg.Wait()
	if n := openFiles(t, dir); n > 3*(3+8*2) { // three writers, eight readers of two connections; file, log and index
		t.Errorf("%d files are open", n)
	}
}

// openFiles counts this process's open files in a folder.
func openFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(links) == 0 {
		testenv.Missing(t, "proc", "run it where /proc tells which files are open")
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

func TestDamagedDayStaysOneDamagedDay(t *testing.T) {
	dir := t.TempDir()
	yesterday := today().AddDate(0, 0, -1)
	first, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	insert(t, first, append(entries(today(), 0, 5), entries(yesterday, 100, 105)...))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file(dir, yesterday), bytes.Repeat([]byte("this is no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	page := find(t, r, archive.Filter{})
	if len(page.Entries) != 5 || page.TotalExact || len(page.Skipped) != 1 || !strings.HasPrefix(page.Skipped[0], yesterday.Format(time.DateOnly)) {
		t.Errorf("%d records, exact %v, skipped %v", len(page.Entries), page.TotalExact, page.Skipped)
	}
	if _, err := r.Get(t.Context(), "e-3"); err != nil {
		t.Errorf("a record of the other day: %v", err)
	}
	if _, err := r.Get(t.Context(), "e-101"); err == nil || err == archive.ErrNotFound {
		t.Errorf("a record that may be in the damaged day: %v", err)
	}
	var log bytes.Buffer
	w := open(t, sqlite.Options{Dir: dir, Retention: 48 * time.Hour, Log: slog.New(slog.NewTextHandler(&log, nil))})
	insert(t, w, append(entries(yesterday, 200, 203), entries(today(), 5, 6)...))
	if page := find(t, r, archive.Filter{}); len(page.Entries) != 9 || page.Skipped != nil {
		t.Errorf("%d records, skipped %v, after the day began anew", len(page.Entries), page.Skipped)
	}
	aside, err := filepath.Glob(filepath.Join(dir, "*.damaged-*"))
	if err != nil || len(aside) == 0 || !strings.Contains(log.String(), aside[0]) {
		t.Errorf("aside %v %v, log %s", aside, err, &log)
	}
	if dropped, err := w.Retain(t.Context(), today().AddDate(0, 0, 30)); err != nil || len(dropped) != 2 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Of several writers that find the damage only one moves the file.
func TestDamageIsMovedAsideOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(file(dir, today()), bytes.Repeat([]byte("this is no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, sqlite.Options{Dir: dir})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := a.Insert(t.Context(), entries(today(), i*10, i*10+10)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := rows(t, file(dir, today())); n != 80 {
		t.Errorf("%d records, want 80", n)
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "*.damaged-*")); err != nil || len(aside) != 1 {
		t.Errorf("moved aside: %v, %v", aside, err)
	}
}

func TestReaderSurvivesTheDropOfItsDay(t *testing.T) {
	dir := t.TempDir()
	w := open(t, sqlite.Options{Dir: dir, Retention: 24 * time.Hour})
	r := open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	insert(t, w, entries(today(), 0, 2000))
	var wg sync.WaitGroup
	begun, dropped := make(chan struct{}), make(chan struct{})
	var once sync.Once
	for range 3 {
		wg.Go(func() {
			for gone := false; !gone; {
				select {
				case <-dropped:
					gone = true
				default:
				}
				page, err := r.Find(t.Context(), archive.Filter{Text: "/1"}, archive.Cursor{}, 200)
				if n := len(page.Entries); err != nil || page.Skipped != nil || n != 200 && n != 0 || gone && n != 0 {
					t.Errorf("%d records, skipped %v, %v; dropped %v", n, page.Skipped, err, gone)
				}
				once.Do(func() { close(begun) })
			}
		})
	}
	<-begun
	if names, err := w.Retain(t.Context(), today().AddDate(0, 0, 30)); err != nil || len(names) != 1 {
		t.Errorf("%v %v", names, err)
	}
	close(dropped)
	wg.Wait()
}

// TestHelperWriter is the process that TestKilledWriter kills: it inserts until then
// and says what was acknowledged.
func TestHelperWriter(t *testing.T) {
	dir := os.Getenv("ARCHIVE_TEST_WRITER")
	if dir == "" {
		return // it is no test by itself
	}
	a := open(t, sqlite.Options{Dir: dir})
	for i := 0; ; i++ {
		insert(t, a, entries(today(), i*300, i*300+300))
		fmt.Println("stored", i)
	}
}

func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	r := open(t, sqlite.Options{Dir: dir, ReadOnly: true})
	last := -1
	for range 3 {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelperWriter$")
		c.Env = append(os.Environ(), "ARCHIVE_TEST_WRITER="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		told := bufio.NewScanner(out)
		for i := 0; i < 20 && told.Scan(); i++ {
			n := -1
			if _, err := fmt.Sscanf(told.Text(), "stored %d", &n); err != nil {
				t.Fatal(told.Text(), err)
			}
			last = max(last, n)
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for told.Scan() { // what it said before it heard
			var n int
			if _, err := fmt.Sscanf(told.Text(), "stored %d", &n); err == nil {
				last = max(last, n)
			}
		}
		_ = c.Wait()
		// What was acknowledged is there, and each batch is there as a whole or not.
		count := rows(t, file(dir, today()))
		if count%300 != 0 || count < (last+1)*300 {
			t.Errorf("%d records after the kill; %d batches of 300 were acknowledged", count, last+1)
		}
		if page := find(t, r, archive.Filter{}); len(page.Entries) != archive.MaxPage || page.Skipped != nil {
			t.Errorf("a reader finds %d, skipped %v", len(page.Entries), page.Skipped)
		}
	}
	a := open(t, sqlite.Options{Dir: dir})
	insert(t, a, entries(today(), 0, (last+1)*300)) // all come again
	if n := rows(t, file(dir, today())); n%300 != 0 || n < (last+1)*300 {
		t.Errorf("%d records", n)
	}
}

// rows counts a file's, and checks it.
func rows(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var check string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("%s %v", check, err)
	}
	if err := db.QueryRow("SELECT count(*) FROM records").Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

func TestOlderReaderReadsANewerFile(t *testing.T) {
	dir := t.TempDir()
	a := open(t, sqlite.Options{Dir: dir})
	insert(t, a, entries(today(), 0, 10))
	db, err := sql.Open("sqlite", "file:"+file(dir, today()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// A column more, and a field in the wire form that this release does not know.
	for _, q := range []string{"ALTER TABLE records ADD COLUMN later TEXT", "UPDATE records SET later = 'x', rest = CAST(rest || x'A20603616263' AS BLOB)", "PRAGMA user_version = 9"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	page := find(t, open(t, sqlite.Options{Dir: dir, ReadOnly: true}), archive.Filter{API: "a"})
	if len(page.Entries) != 10 || page.Skipped != nil || len(page.Entries[0].UserAgent) != 200 {
		t.Errorf("%d records, skipped %v", len(page.Entries), page.Skipped)
	}
	insert(t, a, entries(today(), 10, 20))
	if ids := find(t, a, archive.Filter{}).Entries; len(ids) != 20 || !slices.IsSortedFunc(ids, func(a, b record.Entry) int { return b.At.Compare(a.At) }) {
		t.Errorf("%d records", len(ids))
	}
}
