//go:build failpoint

package publish_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/redisdb"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// TestAKillAtAnyStepHeals is TestACrashAtAnyStepHeals with a real process that
// is killed by the failpoint. Run it with -tags failpoint.
func TestAKillAtAnyStepHeals(t *testing.T) {
	for _, step := range []string{"contents", "append", "view", "views", "mark", "roots", "notices"} {
		t.Run(step, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.db")
			s := siteOn(t, sqliteAt(path))
			put(t, s.engine(), api("a", ""), api("b", ""))
			dir := filepath.Join(t.TempDir(), "keys")
			if err := s.keys.Save(dir); err != nil {
				t.Fatal(err)
			}
			point := filepath.Join(t.TempDir(), "failpoint")
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), "SLUICE_FAILPOINT="+point, "VICTIM_STEP="+step, "VICTIM_STORE="+path,
				"VICTIM_REDIS="+s.redis.Addr(), "VICTIM_KEYS="+dir)
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the victim was not killed: %v\n%s", err, out)
			}
			heir := s.engine()
			want := map[string]string{"api/a": string(api("a", `"description":"new",`)), "api/c": string(api("c", ""))}
			if step == "contents" {
				want = map[string]string{"api/a": string(api("a", "")), "api/b": string(api("b", ""))}
			}
			if err := s.holds(heir, "default", want); err != nil {
				t.Error(err)
			}
			verify(t, heir)
		})
	}
}

// TestMain lets the test's binary be the victim too.
func TestMain(m *testing.M) {
	if step := os.Getenv("VICTIM_STEP"); step != "" {
		panic(fmt.Errorf("it lives on: %w", victim(context.Background(), step)))
	}
	m.Run()
}

// victim changes something and dies at the step.
func victim(ctx context.Context, step string) error {
	store, err := sqlite.Open(ctx, os.Getenv("VICTIM_STORE"))
	if err != nil {
		return err
	}
	rdb, err := redisdb.Open(redisdb.Config{Addresses: []string{os.Getenv("VICTIM_REDIS")}})
	if err != nil {
		return err
	}
	keys, err := trust.LoadDashboard(os.Getenv("VICTIM_KEYS"))
	if err != nil {
		return err
	}
	e := publish.New(publish.Options{Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(), Roots: wire.NewWriter(rdb, keys)})
	if err := e.Start(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv("SLUICE_FAILPOINT"), []byte(step), 0o600); err != nil {
		return err
	}
	_, err = e.Commit(ctx, tester, "", func(*publish.State) ([]publish.Edit, error) {
		return []publish.Edit{{Ref: ref("a"), Text: api("a", `"description":"new",`)}, {Ref: ref("b")}, {Ref: ref("c"), Text: api("c", "")}}, nil
	})
	return err
}
