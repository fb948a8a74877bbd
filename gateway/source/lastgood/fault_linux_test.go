package lastgood_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// alone runs the test once more in a process of its own, where it returns true: a limit
// for all files of the process would also meet the log that `go test` keeps of it.
func alone(t *testing.T) bool {
	t.Helper()
	const child = "SLUICE_TEST_ALONE"
	if os.Getenv(child) != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1")
	if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, said)
	}
	return false
}

// full makes the kernel refuse to let any file of this process grow beyond a few
// bytes, as a full disk does in the middle of a write.
func full(t *testing.T) (mend func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // the write fails instead
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	mend = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(mend)
	return mend
}

func TestAFullDiskKeepsTheStateBefore(t *testing.T) {
	if !alone(t) {
		return
	}
	n := seeded(t)
	n.p.Redis.Start(true)
	c, s := n.start()
	if _, err := c.Fetch(); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveSessions([]byte("who was known")); err != nil {
		t.Fatal(err)
	}
	n.p.Set("a", text("a2"))
	n.p.Delete("b")
	c.Must(n.p.Publish(), texts{"a": text("a2")})
	mend := full(t)
	save(t, s)
	err := s.SaveSessions([]byte(text("who is known")))
	mend()
	if err == nil {
		t.Error("sessions were saved on a full disk")
	}
	if !strings.Contains(n.log.String(), "could not be saved") {
		t.Errorf("log: %s", n.log)
	}
	n.p.Redis.Stop()
	c, s = n.start()
	if u, _ := c.Fetch(); u == nil || u.Generation != 1 {
		t.Fatalf("%+v", u)
	}
	c.Serves(c.State, texts{"a": text("a1"), "b": text("b1")})
	if plain, err := s.LoadSessions(); err != nil || string(plain) != "who was known" {
		t.Errorf("%q, %v", plain, err)
	}
	for _, dir := range []string{n.o.Dir, filepath.Join(n.o.Dir, "items")} {
		if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// An unwritable folder keeps the state before, and is tried again.
func TestAnUnwritableFolderIsTriedAgain(t *testing.T) {
	n := seeded(t)
	n.p.Redis.Start(true)
	n.o.Every, n.o.Retry = time.Millisecond, 5*time.Millisecond
	c, s := n.start()
	if _, err := c.Fetch(); err != nil {
		t.Fatal(err)
	}
	items, aside := filepath.Join(n.o.Dir, "items"), filepath.Join(n.o.Dir, "aside")
	// permissions do not bind root: a file in the folder's place does
	for _, err := range []error{os.Rename(items, aside), os.WriteFile(items, nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	n.p.Set("a", text("a2"))
	c.Must(n.p.Publish(), texts{"a": text("a2"), "b": text("b1")})
	if n.onDisk() != 1 {
		t.Error("a root was saved whose texts could not be")
	}
	for _, err := range []error{os.Remove(items), os.Rename(aside, items)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return n.onDisk() == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
