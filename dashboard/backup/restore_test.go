package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/backup/backuptest"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const pass = "a passphrase for tests"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func onSQLite(t *testing.T) backuptest.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(context.Background())) })
	return backuptest.Store{Log: s.Log(), Contents: s.Contents(), Views: s.Views(), Marks: s.Marks(), Keys: s.Keys(), Users: s.Users(), Sessions: s.Sessions(), Tokens: s.Tokens(), Attempts: s.Attempts(), Everyone: s, Target: s}
}

func onMongoDB(t *testing.T) backuptest.Store {
	t.Helper()
	db := testenv.MongoDB(t)
	s, err := mongo.Open(t.Context(), mongodb.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: db.Name()})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(context.Background())) })
	return backuptest.Store{Log: s.Log(), Contents: s.Contents(), Views: s.Views(), Marks: s.Marks(), Keys: s.Keys(), Users: s.Users(), Sessions: s.Sessions(), Tokens: s.Tokens(), Attempts: s.Attempts(), Everyone: s, Target: s}
}

// keyFolder is a folder with a platform's keys.
func keyFolder(t *testing.T) string {
	t.Helper()
	k, err := trust.Generate()
	must(t, err)
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, k.Save(dir))
	return dir
}

// fill puts a sample into a store, as if it had been used.
func fill(t *testing.T, s backuptest.Store, revisions int, epoch int64) {
	t.Helper()
	must(t, s.Target.Fill(t.Context(), map[string]int64{"epoch": epoch}, func(put func(backup.Batch) error) error { return put(backuptest.Sample(revisions)) }))
}

func written(t *testing.T, s backuptest.Store, dir string, at time.Time) []byte {
	t.Helper()
	files, err := backup.ReadKeyFiles(dir)
	must(t, err)
	var out bytes.Buffer
	_, err = backup.Write(t.Context(), &out, pass, backup.Source{
		Log: s.Log, Contents: s.Contents, Marks: s.Marks, Keys: s.Keys, People: s.Everyone, KeyFiles: files,
		Manifest: backup.Manifest{CreatedAt: at, Release: "test", Driver: "any"},
	})
	must(t, err)
	return out.Bytes()
}

func opener(file []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }
}

// now is when tests restore.
func now() time.Time { return time.Unix(1_800_000_000, 0).UTC() }

func into(s backuptest.Store, dir string) backup.Into {
	return backup.Into{Store: s.Target, Marks: s.Marks, Keys: s.Keys, KeyDir: dir, Now: now}
}

// raised is a sample as a restore leaves it.
func raised(b backup.Batch) backup.Batch {
	for i := range b.Keys {
		b.Keys[i].Key.Version = now().UnixMilli()
	}
	return b
}

func same(t *testing.T, a, b string) {
	t.Helper()
	x, err := backup.ReadKeyFiles(a)
	must(t, err)
	y, err := backup.ReadKeyFiles(b)
	must(t, err)
	if len(x) < 5 || !maps.EqualFunc(x, y, bytes.Equal) {
		t.Errorf("%s has %d key files, %s has %d, or others", a, len(x), b, len(y))
	}
	if _, err := trust.LoadDashboard(b); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(b + ".restoring*"); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestABackupGoesFromAnyStoreToAnyOther(t *testing.T) {
	stores := map[string]func(*testing.T) backuptest.Store{"SQLite": onSQLite, "MongoDB": onMongoDB}
	for from, a := range stores {
		for to, b := range stores {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				old, dir := a(t), keyFolder(t)
				fill(t, old, 30, 4)
				file := written(t, old, dir, now().Add(-time.Hour))
				fresh, target := b(t), filepath.Join(t.TempDir(), "new", "keys")
				done, err := backup.Restore(t.Context(), opener(file), pass, into(fresh, target))
				must(t, err)
				if done.Epoch != now().UnixMilli() || done.Revisions != 30 || done.Keys != 2 || done.Users != 2 || done.Tokens != 2 || done.KeptKeys != "" {
					t.Errorf("got %+v", done)
				}
				backuptest.Is(t, fresh, raised(backuptest.Sample(30)), now().UnixMilli())
				must(t, backup.Ready(t.Context(), fresh.Marks))
				same(t, dir, target)
			})
		}
	}
}

func TestWhatIsThereIsNotReplacedUnasked(t *testing.T) {
	s, dir := onSQLite(t), keyFolder(t)
	fill(t, s, 3, 1)
	file := written(t, s, dir, now())
	other, otherDir := onSQLite(t), keyFolder(t)
	fill(t, other, 8, now().UnixMilli()+50)

	_, err := backup.Restore(t.Context(), opener(file), pass, into(other, dir))
	if !errors.Is(err, backup.ErrNotEmpty) || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("a store that is not empty: %v", err)
	}
	empty := onSQLite(t)
	if _, err := backup.Restore(t.Context(), opener(file), pass, into(empty, otherDir)); !errors.Is(err, backup.ErrNotEmpty) || !strings.Contains(err.Error(), otherDir) {
		t.Errorf("a folder with other keys: %v", err)
	}
	backuptest.Is(t, empty, backup.Batch{}, 0)
	backuptest.Is(t, other, backuptest.Sample(8), now().UnixMilli()+50)

	before, err := backup.ReadKeyFiles(otherDir)
	must(t, err)
	to := into(other, otherDir)
	to.Replace = true
	done, err := backup.Restore(t.Context(), opener(file), pass, to)
	must(t, err)
	backuptest.Is(t, other, raised(backuptest.Sample(3)), now().UnixMilli()+51)
	same(t, dir, otherDir)
	kept, err := backup.ReadKeyFiles(done.KeptKeys)
	if err != nil || !maps.EqualFunc(before, kept, bytes.Equal) {
		t.Errorf("the keys of before are not kept: %v, %v", kept, err)
	}
	// again, where the keys are the same: nothing is put aside, and the epoch rises
	again, err := backup.Restore(t.Context(), opener(file), pass, to)
	if err != nil || again.KeptKeys != "" || again.Epoch != now().UnixMilli()+52 {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestABadFileTouchesNothing(t *testing.T) {
	s, dir := onSQLite(t), keyFolder(t)
	fill(t, s, 40, 1)
	file := written(t, s, dir, now())
	damaged := bytes.Clone(file)
	damaged[len(file)/2] ^= 1
	other, otherDir := onSQLite(t), keyFolder(t)
	fill(t, other, 2, 5)
	before, err := backup.ReadKeyFiles(otherDir)
	must(t, err)
	for name, c := range map[string]struct {
		file []byte
		pass string
		want error
	}{
		"a wrong passphrase": {file, "another passphrase", backup.ErrPassphrase},
		"cut in the middle":  {file[:len(file)/2], pass, backup.ErrDamaged},
		"a bit turned":       {damaged, pass, backup.ErrDamaged},
		"no backup":          {[]byte("PK"), pass, backup.ErrNoBackup},
	} {
		to := into(other, otherDir)
		to.Replace = true
		if _, err := backup.Restore(t.Context(), opener(c.file), c.pass, to); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	to := into(other, otherDir)
	to.Replace = true
	to.Now = func() time.Time { return now().Add(-time.Hour) }
	if _, err := backup.Restore(t.Context(), opener(file), pass, to); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Errorf("a clock that is behind: %v", err)
	}
	backuptest.Is(t, other, backuptest.Sample(2), 5)
	after, err := backup.ReadKeyFiles(otherDir)
	if err != nil || !maps.EqualFunc(before, after, bytes.Equal) {
		t.Errorf("the key files were touched: %v", err)
	}
}

// An error in the middle of writing, once the file was found to be good.
func TestAStoreThatStopsAnswering(t *testing.T) {
	source, dir := onSQLite(t), keyFolder(t)
	fill(t, source, 500, 1)
	file := written(t, source, dir, now())
	t.Run("an empty store", func(t *testing.T) {
		for name, open := range map[string]func(*testing.T) backuptest.Store{"SQLite": onSQLite, "MongoDB": onMongoDB} {
			t.Run(name, func(t *testing.T) {
				s, target := open(t), filepath.Join(t.TempDir(), "keys")
				to := into(s, target)
				to.Store = &stopping{s.Target, 1}
				if _, err := backup.Restore(t.Context(), opener(file), pass, to); !errors.Is(err, errStopped) || errors.Is(err, backup.ErrUnfinished) {
					t.Errorf("got %v", err)
				}
				backuptest.Is(t, s, backup.Batch{}, 0)
				if _, err := os.Stat(target); err == nil {
					t.Error("key files were written")
				}
				_, err := backup.Restore(t.Context(), opener(file), pass, into(s, target))
				must(t, err)
				backuptest.Is(t, s, raised(backuptest.Sample(500)), now().UnixMilli())
			})
		}
	})
	t.Run("in MongoDB, what was there before", func(t *testing.T) {
		s, target := onMongoDB(t), keyFolder(t)
		fill(t, s, 2, 5)
		to := into(s, target)
		to.Replace, to.Store = true, &stopping{s.Target, 2}
		_, err := backup.Restore(t.Context(), opener(file), pass, to)
		if !errors.Is(err, backup.ErrUnfinished) || !strings.Contains(err.Error(), "of 500 revisions") || !strings.Contains(err.Error(), "--replace") {
			t.Errorf("got %v", err)
		}
		if err := backup.Ready(t.Context(), s.Marks); !errors.Is(err, backup.ErrUnfinished) {
			t.Errorf("it is ready: %v", err)
		}
		if _, err := backup.Restore(t.Context(), opener(file), pass, into(s, target)); !errors.Is(err, backup.ErrUnfinished) {
			t.Errorf("again without being told to replace: %v", err)
		}
		to.Store = s.Target
		_, err = backup.Restore(t.Context(), opener(file), pass, to)
		must(t, err)
		must(t, backup.Ready(t.Context(), s.Marks))
		same(t, dir, target)
	})
}

var errStopped = errors.New("stopped")

// stopping is a store that takes some batches only.
type stopping struct {
	backup.Target
	room int
}

func (s *stopping) Fill(ctx context.Context, marks map[string]int64, fill func(put func(backup.Batch) error) error) error {
	return s.Target.Fill(ctx, marks, func(put func(backup.Batch) error) error {
		room := s.room
		return fill(func(b backup.Batch) error {
			if room--; room < 0 {
				return errStopped
			}
			return put(b)
		})
	})
}

func TestKeyFilesThatCannotBePutInPlace(t *testing.T) {
	s, dir := onSQLite(t), keyFolder(t)
	fill(t, s, 3, 1)
	file := written(t, s, dir, now())
	fresh := onSQLite(t)
	target := filepath.Join(t.TempDir(), "keys")
	must(t, os.MkdirAll(filepath.Join(target, "bus.key", "in the way"), 0o700))
	_, err := backup.Restore(t.Context(), opener(file), pass, into(fresh, target))
	if err == nil {
		t.Fatal("a folder in the place of a key file is no error")
	}
	if errors.Is(err, backup.ErrUnfinished) != errors.Is(backup.Ready(t.Context(), fresh.Marks), backup.ErrUnfinished) {
		t.Errorf("the error and the store do not say the same: %v", err)
	}
	must(t, os.RemoveAll(target))
	to := into(fresh, target)
	to.Replace = true
	_, err = backup.Restore(t.Context(), opener(file), pass, to)
	must(t, err)
	must(t, backup.Ready(t.Context(), fresh.Marks))
	same(t, dir, target)
}

// ring is what Redis has.
type ring struct {
	entries map[string]keyring.Entry
	away    bool
}

func (r ring) Get(_ context.Context, hash string) (keyring.Entry, error) {
	e, ok := r.entries[hash]
	switch {
	case r.away:
		return e, fault.New(fault.Unavailable, "key.unavailable", "away")
	case !ok:
		return e, fault.Wrap(keyring.ErrUnknown, fault.NotFound, "key.unknown", "no such key")
	}
	return e, nil
}

func (r ring) Each(_ context.Context, f func(keyring.Entry) error) error {
	if r.away {
		return fault.New(fault.Unavailable, "key.unavailable", "away")
	}
	for hash, e := range r.entries {
		if e.Hash = hash; e.Revoked {
			continue
		}
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func TestKeysThatWereRevokedSinceStayRevoked(t *testing.T) {
	s, dir := onSQLite(t), keyFolder(t)
	var all []keys.Stored
	for _, id := range []string{"alive", "revoked", "rotated", "unknown", "both", "before"} {
		k := keys.Stored{Hashes: []string{"hash-" + id + "-a"}, Key: access.Key{ID: id, Org: "default", State: access.KeyActive, Version: 3, CreatedAt: now(), UpdatedAt: now()}}
		switch id {
		case "rotated", "both":
			k.Hashes = append(k.Hashes, "hash-"+id+"-b")
		case "before":
			k.Key.State, k.Key.Version = access.KeyRevoked, now().UnixMilli()+1000
		}
		all = append(all, k)
	}
	must(t, s.Target.Fill(t.Context(), nil, func(put func(backup.Batch) error) error { return put(backup.Batch{Keys: all}) }))
	file := written(t, s, dir, now())
	dead := keyring.Entry{Version: 9, Revoked: true}
	live := func(id string, version int64) keyring.Entry {
		return keyring.Entry{Version: version, Key: access.Key{ID: id, Org: "default", Alias: "of Redis", State: access.KeyActive, Version: version, CreatedAt: now(), UpdatedAt: now()}}
	}
	redis := ring{entries: map[string]keyring.Entry{
		"hash-alive-a": live("alive", now().UnixMilli()+40), "hash-revoked-a": dead, "hash-rotated-a": dead, "hash-rotated-b": live("rotated", 4),
		"hash-made-since": live("made", now().UnixMilli()+5), "hash-unknown-b": live("unknown", 6),
		"hash-both-a": dead, "hash-both-b": dead,
	}}
	trusted, err := trust.LoadDashboard(dir)
	must(t, err)
	restored := func(r ring) (backup.Restored, map[string]keys.Stored) {
		fresh := onSQLite(t)
		to := into(fresh, filepath.Join(t.TempDir(), "keys"))
		to.Ring = func(k *trust.Keys) backup.Ring {
			if !bytes.Equal(k.Bus, trusted.Bus) {
				t.Error("entries are read with other keys than the backup's")
			}
			return r
		}
		done, err := backup.Restore(t.Context(), opener(file), pass, to)
		must(t, err)
		got := map[string]keys.Stored{}
		list, err := fresh.Keys.Changed(t.Context(), time.Time{}, "", 100)
		must(t, err)
		for _, k := range list {
			got[k.Key.ID] = k
		}
		return done, got
	}
	done, got := restored(redis)
	if done.Revoked != 2 || done.Adopted != 2 || done.Unasked != nil || len(got) != len(all)+1 {
		t.Errorf("%d keys, %+v", len(got), done)
	}
	for id, want := range map[string]struct {
		state  access.KeyState
		hashes string
	}{
		"alive":   {access.KeyActive, "[hash-alive-a]"},
		"revoked": {access.KeyRevoked, "[hash-revoked-a]"},
		"rotated": {access.KeyActive, "[hash-rotated-b]"},
		"unknown": {access.KeyActive, "[hash-unknown-a hash-unknown-b]"},
		"made":    {access.KeyActive, "[hash-made-since]"},
		"both":    {access.KeyRevoked, "[hash-both-a hash-both-b]"},
		"before":  {access.KeyRevoked, "[hash-before-a]"},
	} {
		if k := got[id]; k.Key.State != want.state || fmt.Sprint(k.Hashes) != want.hashes {
			t.Errorf("%s: %s %v", id, k.Key.State, k.Hashes)
		}
	}
	if v := got["before"].Key.Version; v != now().UnixMilli()+1001 {
		t.Errorf("a version that was raised before is %d now", v)
	}
	if v := got["alive"].Key.Version; v != now().UnixMilli()+41 {
		t.Errorf("version %d", v)
	}
	if k := got["made"].Key; k.Alias != "of Redis" || k.Version != now().UnixMilli()+6 {
		t.Errorf("a key that was taken over: %+v", k)
	}
	if got["alive"].Key.Alias == "of Redis" {
		t.Error("the backup does not win over what is in Redis")
	}
	redis.away = true
	done, got = restored(redis)
	if done.Revoked+done.Adopted != 0 || done.Unasked == nil || len(got) != len(all) || got["revoked"].Key.State != access.KeyActive {
		t.Errorf("with Redis away: %+v", done)
	}
}

func TestAPassphraseThatIsShortIsRefused(t *testing.T) {
	if _, err := backup.Passphrase("short\n"); err == nil {
		t.Error("a short one is taken")
	}
	if got, err := backup.Passphrase("long enough, it is\r\n"); got != "long enough, it is" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
