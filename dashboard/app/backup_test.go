package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/backup"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

const passphrase = "a passphrase for tests"

func api(name string) string {
	return fmt.Sprintf(`{"name":%q,"listen":{"path":"/%s/"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`, name, strings.ToLower(name))
}

// used is a dashboard with two APIs and a token, which is running.
func used(t *testing.T) (c Config, url, token string, stop func() error) {
	t.Helper()
	c = settings(t, testenv.RedisServer(t).Addr())
	_, err := Init(t.Context(), c, Admin{Login: "admin", Password: "a password for tests"})
	must(t, err)
	url, stop = running(t, c)
	token, err = Token(t.Context(), c, NewToken{Name: "ci", Role: people.Operator})
	must(t, err)
	for _, name := range []string{"Orders", "Items"} {
		if a := call(t, "POST", url+"/api/v1/apis", token, api(name)); a.status != 201 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	return c, url, token, stop
}

// verified starts a dashboard, lets it compare everything with its log, and ends it.
func verified(t *testing.T, c Config) {
	t.Helper()
	a, err := New(t.Context(), c, slog.New(slog.DiscardHandler))
	must(t, err)
	if err := a.engine.Verify(t.Context()); err != nil {
		t.Errorf("what was restored is not what its log says: %v", err)
	}
	must(t, a.cleanup.Run(t.Context()))
}

func TestABackupOfADashboardInUse(t *testing.T) {
	c, url, token, stop := used(t)
	ctx, enough := context.WithCancel(t.Context())
	began, ended := make(chan bool), make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			a := call(t, "PATCH", url+"/api/v1/apis/orders", token, fmt.Sprintf(`{"description":"%d"}`, n), "If-Match", "*", "Content-Type", "application/merge-patch+json")
			if a.status != 200 {
				t.Errorf("a change beside the backup: %d %s", a.status, a.body)
				break
			}
			if n == 3 {
				close(began)
			}
		}
		ended <- n
	}()
	<-began
	file := filepath.Join(t.TempDir(), "all.bak")
	done, err := Backup(t.Context(), c, file, passphrase)
	enough()
	t.Logf("%d changes beside the backup", <-ended)
	must(t, err)
	must(t, stop())
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if _, err := os.Stat(file + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial file: %v", err)
	}
	if held, err := CheckBackup(t.Context(), file, passphrase); err != nil || held != done {
		t.Errorf("it holds %+v, %v, written were %+v", held, err, done)
	}
	if _, err := Backup(t.Context(), c, file, passphrase); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a file is overwritten: %v", err)
	}

	for name, driver := range map[string]func(*testing.T, *Config){"SQLite": func(*testing.T, *Config) {}, "MongoDB": inMongoDB} {
		t.Run("into "+name, func(t *testing.T) {
			fresh := settings(t, c.Redis.Addresses[0])
			driver(t, &fresh)
			restored, err := Restore(t.Context(), fresh, file, passphrase, false)
			must(t, err)
			if restored.Revisions != done.Revisions || restored.Unasked != nil {
				t.Errorf("got %+v", restored)
			}
			verified(t, fresh)
			url, stop := running(t, fresh)
			if a := get(t, url+"/api/v1/apis", token); a.status != 200 || !strings.Contains(a.body, `"Items"`) {
				t.Errorf("the token of before and the list: %d %s", a.status, a.body)
			}
			if a := call(t, "POST", url+"/api/v1/apis", token, api("Later")); a.status != 201 || strings.Contains(a.body, "publish.") {
				t.Errorf("a change after the restore: %d %s", a.status, a.body)
			}
			must(t, stop())
		})
	}
}

func inMongoDB(t *testing.T, c *Config) {
	t.Helper()
	db := testenv.MongoDB(t)
	c.Store.Driver, c.MongoDB.URL, c.MongoDB.Database = driverMongoDB, config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), db.Name()
	c.Records.Driver = driverNone
}

func TestADashboardEndsWhenItsStoreIsRestored(t *testing.T) {
	c, url, token, stop := used(t)
	file := filepath.Join(t.TempDir(), "all.bak")
	_, err := Backup(t.Context(), c, file, passphrase)
	must(t, err)
	if a := call(t, "POST", url+"/api/v1/apis", token, api("Later")); a.status != 201 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	must(t, os.WriteFile(passwordFile(c), []byte("of a user who is gone"), 0o600))
	if _, err := Restore(t.Context(), c, file, passphrase, false); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("without being told to replace: %v", err)
	}
	done, err := Restore(t.Context(), c, file, passphrase, true)
	must(t, err)
	testenv.Eventually(t, 15*time.Second, func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	if err := stop(); err == nil || !strings.Contains(err.Error(), "start it again") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(passwordFile(c)); err == nil {
		t.Error("the one-time password of before is left")
	}
	verified(t, c)
	url, stop = running(t, c)
	if a := get(t, url+"/api/v1/apis", token); a.status != 200 || strings.Contains(a.body, `"Later"`) || !strings.Contains(a.body, `"Items"`) {
		t.Errorf("the list after the restore: %d %s", a.status, a.body)
	}
	if a := get(t, url+"/hello", ""); strings.Contains(a.body, "older") {
		t.Errorf("the store is said to be behind: %s", a.body)
	}
	must(t, stop())
	if done.Epoch < time.Now().Add(-time.Hour).UnixMilli() {
		t.Errorf("epoch %d", done.Epoch)
	}
}

func TestAnUnfinishedRestoreIsNotUsed(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	_, err := Init(t.Context(), c, Admin{Login: "admin", Password: "a password for tests"})
	must(t, err)
	st, err := openAnyStores(t.Context(), c)
	must(t, err)
	must(t, st.marks.Raise(t.Context(), "restore.begun", 7))
	must(t, st.close(t.Context()))
	for name, f := range map[string]func() error{
		"serve": func() error { _, err := New(t.Context(), c, slog.New(slog.DiscardHandler)); return err },
		"init":  func() error { _, err := Init(t.Context(), c, Admin{}); return err },
		"token": func() error { _, err := Token(t.Context(), c, NewToken{Name: "x", Role: people.Viewer}); return err },
		"backup": func() error {
			_, err := Backup(t.Context(), c, filepath.Join(t.TempDir(), "f"), passphrase)
			return err
		},
	} {
		if err := f(); !errors.Is(err, backup.ErrUnfinished) || !strings.Contains(err.Error(), "restore FILE --replace") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABackupNeedsKeysAndAPassphrase(t *testing.T) {
	c := settings(t, "127.0.0.1:1")
	file := filepath.Join(t.TempDir(), "f")
	if _, err := Backup(t.Context(), c, file, "short"); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("a short passphrase: %v", err)
	}
	if _, err := Backup(t.Context(), c, file, passphrase); err == nil || !strings.Contains(err.Error(), "sluice-dashboard init") {
		t.Errorf("without keys: %v", err)
	}
	if _, err := Restore(t.Context(), c, file, passphrase, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
