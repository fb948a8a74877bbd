package doctor

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-gateway/sluice/pkg/trust"
)

// bound runs f with the modes of files binding also for root, who has to give up the
// right to pass over them; the thread that did ends with its goroutine.
func bound(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := giveUp(unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// giveUp takes capabilities from the calling thread.
func giveUp(capabilities ...int) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return err
	}
	for _, c := range capabilities {
		sets[c/32].Effective &^= 1 << (c % 32)
	}
	return unix.Capset(&head, &sets[0])
}

func TestFolders(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	folder := Folder{Name: "data", Setting: "data", Path: dir, Others: 0o077}
	want(t, folder.look(), OK, dir+" (data) is not there yet")
	if _, err := os.Lstat(dir); err == nil {
		t.Error("the folder was made")
	}
	must(t, os.Mkdir(dir, 0o700))
	want(t, folder.look(), OK, "can be written to", "free")

	roomy := folder
	roomy.Wanted, roomy.For = math.MaxInt64, "records"
	want(t, roomy.look(), Warn, "less than the", "for records")
	roomy.Least = math.MaxInt64
	want(t, roomy.look(), Fail, "that are needed for records", "make room")

	must(t, os.Chmod(dir, 0o755))
	want(t, folder.look(), Warn, "mode 0755", "chmod 700 "+dir)
	folder.Others = 0o022
	want(t, folder.look(), OK)
	must(t, os.Chmod(dir, 0o775))
	want(t, folder.look(), Warn, "mode 0775", "chmod 755 "+dir)

	must(t, os.Chmod(dir, 0o500))
	bound(t, func() { want(t, folder.look(), Fail, "cannot be written to: permission denied", "chown") })
	must(t, os.Chmod(dir, 0o700))

	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	folder.Path = file
	want(t, folder.look(), Fail, "is a file, not a folder")
	folder.Path = filepath.Join(file, "below", "it")
	want(t, folder.look(), Fail, "cannot be looked at")
	closed := filepath.Join(dir, "closed")
	must(t, os.Mkdir(closed, 0o555))
	must(t, os.Chmod(dir, 0o755))
	folder.Path = filepath.Join(closed, "new")
	bound(t, func() { want(t, folder.look(), Fail, "cannot be made in", "install -d -m 700") })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	look := func(load func(string) (*trust.Keys, error)) Finding { return run(t, NewKeys(dir, load).Check()) }
	want(t, look(trust.LoadNode), Fail, "signing.pub is missing", "sluice-dashboard node-token")
	want(t, look(trust.LoadDashboard), Fail, "signing.pub is missing", "sluice-dashboard init")
	keys, err := trust.Generate()
	must(t, err)
	must(t, keys.Save(dir))
	want(t, look(trust.LoadNode), OK, "by their owner alone")
	want(t, look(trust.LoadDashboard), OK, "belongs to its public one")

	must(t, os.Chmod(filepath.Join(dir, "bus.key"), 0o644))
	want(t, look(trust.LoadNode), Fail, "bus.key has mode 0644", "chmod 600")
	must(t, os.Chmod(filepath.Join(dir, "bus.key"), 0o600))
	must(t, os.Chmod(dir, 0o777))
	want(t, look(trust.LoadNode), Fail, "mode 0777", "chmod 700 "+dir)
	must(t, os.Chmod(dir, 0o700))

	other, err := trust.Generate()
	must(t, err)
	must(t, other.Node().SaveNode(dir)) // another installation's, beside our signing key
	want(t, look(trust.LoadNode), OK)
	want(t, look(trust.LoadDashboard), Fail, "does not belong to any key", "restore both from one backup")
}

func TestAFolderOfKeysThatHangsIsToldOnce(t *testing.T) {
	t.Parallel()
	// an open of a pipe that nobody writes to waits, as a network folder without a server
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	t.Cleanup(func() {
		if w, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			_ = w.Close() // whoever still waits may go
		}
	})
	k := NewKeys(filepath.Dir(pipe), func(string) (*trust.Keys, error) {
		_, err := os.ReadFile(pipe)
		return nil, err
	})
	k.keys.within = lastWord
	want(t, run(t, k.Check()), Fail, "could not be read within", "hangs")
	want(t, run(t, k.Needs("last-known-good", nil)), Warn, "could not be looked at", "mend keys first")
}
