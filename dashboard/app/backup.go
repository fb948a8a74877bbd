package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/pkg/buildinfo"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// Backup writes everything but records and drafts into one new file, sealed with a key made
// from the passphrase. Dashboards may be running meanwhile. It needs the store and
// the key files, not Redis. The file is there when it is whole, and only then.
func Backup(ctx context.Context, c Config, file, passphrase string) (_ backup.Summary, err error) {
	passphrase, err = backup.Passphrase(passphrase)
	if err != nil {
		return backup.Summary{}, err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return backup.Summary{}, errors.Join(fmt.Errorf("%s is there already; name a new file", file), err)
	}
	if _, err := trust.LoadDashboard(c.trustDir()); err != nil {
		return backup.Summary{}, err
	}
	files, err := backup.ReadKeyFiles(c.trustDir())
	if err != nil {
		return backup.Summary{}, err
	}
	st, err := openStores(ctx, c)
	if err != nil {
		return backup.Summary{}, err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	partial := file + ".partial"
	if err := removeFile(partial); err != nil {
		return backup.Summary{}, err
	}
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return backup.Summary{}, fmt.Errorf("making the file: %w", err)
	}
	done, err := backup.Write(ctx, f, passphrase, backup.Source{
		Log: st.log, Contents: st.contents, Marks: st.marks, Keys: st.keys, People: st.everyone, KeyFiles: files,
		Manifest: backup.Manifest{CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Release: buildinfo.Version(), Driver: c.Store.Driver},
	})
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return backup.Summary{}, errors.Join(fmt.Errorf("writing the backup: %w", err), removeFile(partial))
	}
	if err := os.Rename(partial, file); err != nil {
		return backup.Summary{}, errors.Join(fmt.Errorf("putting the backup in place: %w", err), removeFile(partial))
	}
	return done, syncFolder(filepath.Dir(file))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// CheckBackup reads a whole backup and says what is in it. It needs nothing but the
// file and its passphrase.
func CheckBackup(ctx context.Context, file, passphrase string) (_ backup.Summary, err error) {
	passphrase, err = backup.Passphrase(passphrase)
	if err != nil {
		return backup.Summary{}, err
	}
	f, err := os.Open(file)
	if err != nil {
		return backup.Summary{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	held, err := backup.Read(ctx, f, passphrase, nil)
	return held.Summary, err
}

// Restore puts a backup into the store and the keys' folder. No dashboard may be
// running on the store. Redis is asked which keys were revoked or made after the
// backup; it may be away.
func Restore(ctx context.Context, c Config, file, passphrase string, replace bool) (_ backup.Restored, err error) {
	passphrase, err = backup.Passphrase(passphrase)
	if err != nil {
		return backup.Restored{}, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return backup.Restored{}, fmt.Errorf("data %s cannot be made: %w; name a folder that the dashboard may write to", c.Data, err)
	}
	st, err := openAnyStores(ctx, c)
	if err != nil {
		return backup.Restored{}, err
	}
	defer func() { err = errors.Join(err, st.close(ctx)) }()
	redisdb.LogTo(slog.New(slog.DiscardHandler)) // that it is away is in the outcome
	rdb, err := redisdb.Open(c.Redis)
	if err != nil {
		return backup.Restored{}, err
	}
	defer func() { err = errors.Join(err, rdb.Close()) }()
	out, err := backup.Restore(ctx, func() (io.ReadCloser, error) { return os.Open(file) }, passphrase, backup.Into{
		Store: st.target, Marks: st.marks, Keys: st.keys, KeyDir: c.trustDir(), Replace: replace,
		Ring: func(k *trust.Keys) backup.Ring { return keyring.NewReader(rdb, k) },
	})
	if err != nil {
		return out, err
	}
	// The password in it is of the users before; init makes another one where it is needed.
	return out, removeFile(passwordFile(c))
}
