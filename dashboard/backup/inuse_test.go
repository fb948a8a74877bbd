package backup_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/backup/backuptest"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// A store that is written to all the time: the log in the backup has no gap, and every
// key is there, as new as it was when the backup began at least.
func TestAStoreInUse(t *testing.T) {
	for name, open := range map[string]func(*testing.T) backuptest.Store{"SQLite": onSQLite, "MongoDB": onMongoDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := open(t), keyFolder(t)
			must(t, s.Target.Fill(t.Context(), nil, func(put func(backup.Batch) error) error {
				b := backuptest.Sample(300)
				b.Keys = nil
				for i := range 450 {
					k := access.Key{ID: fmt.Sprintf("k%03d", i), Org: "default", State: access.KeyActive, Version: 1, CreatedAt: time.Now(), UpdatedAt: time.Now().Add(-time.Hour)}
					b.Keys = append(b.Keys, keys.Stored{Key: k, Hashes: []string{"hash-" + k.ID}})
				}
				return put(b)
			}))
			ctx, stop := context.WithCancel(t.Context())
			var work sync.WaitGroup
			began := make(chan bool, 2)
			work.Go(func() { appending(ctx, t, s, began) })
			work.Go(func() { changing(ctx, t, s, began) })
			<-began
			<-began
			newest, err := s.Log.Newest(t.Context())
			must(t, err)
			file := written(t, s, dir, now())
			stop()
			work.Wait()
			fresh := onSQLite(t)
			done, err := backup.Restore(t.Context(), opener(file), pass, into(fresh, filepath.Join(t.TempDir(), "keys")))
			must(t, err)
			if done.Revisions < newest {
				t.Errorf("%d revisions, there were %d when it began", done.Revisions, newest)
			}
			want, err := s.Log.Since(t.Context(), 0, int(done.Revisions))
			must(t, err)
			log, err := fresh.Log.Since(t.Context(), 0, 1<<20)
			must(t, err)
			if int64(len(log)) != done.Revisions || fmt.Sprint(log) != fmt.Sprint(want) {
				t.Errorf("%d revisions restored, of %d, or others", len(log), done.Revisions)
			}
			list, err := fresh.Keys.Changed(t.Context(), time.Time{}, "", 1000)
			if err != nil || len(list) != 450 {
				t.Errorf("%d keys, %v", len(list), err)
			}
			t.Logf("%d revisions, %d records of 450 keys", done.Revisions, done.Keys)
		})
	}
}

// appending appends revisions until ctx ends.
func appending(ctx context.Context, t *testing.T, s backuptest.Store, began chan<- bool) {
	for n := int64(301); ; n++ {
		text := fmt.Appendf(nil, `{"n":%d}`, n)
		err := s.Contents.Put(ctx, map[string][]byte{publish.Sum(text): text})
		if err == nil {
			err = s.Log.Append(ctx, publish.Revision{N: n, At: time.Now(), Changes: []publish.Change{{Org: "default", Kind: publish.KindAPI, ID: "b", After: publish.Sum(text)}}})
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("appending: %v", err)
			began <- true
			return
		}
		if n == 305 {
			began <- true
		}
	}
}

// changing changes keys until ctx ends.
func changing(ctx context.Context, t *testing.T, s backuptest.Store, began chan<- bool) {
	for n := 0; ; n++ {
		k, err := s.Keys.Get(ctx, "default", fmt.Sprintf("k%03d", n*7%450))
		if err == nil {
			was := k.Key.Version
			k.Key.Version, k.Key.UpdatedAt = was+1, time.Now()
			err = s.Keys.Replace(ctx, k, was)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("changing a key: %v", err)
			began <- true
			return
		}
		if n == 5 {
			began <- true
		}
	}
}
