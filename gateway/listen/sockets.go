package listen

import (
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Sockets are the listening sockets that a process was started with, as systemd
// passes them (sd_listen_fds(3)), by name. While the process is started anew they
// stay open, so that no connection is refused.
type Sockets struct{ files map[string]*os.File }

// firstSocket is the descriptor of the first one.
const firstSocket = 3

// Inherited takes the sockets of this process: LISTEN_PID must be its id,
// LISTEN_FDS is their number, LISTEN_FDNAMES their names with colons between.
// Without names the only one has the name that only says. The variables are
// removed, so that no child process takes them for its own.
func Inherited(only string) (*Sockets, error) {
	s := &Sockets{files: map[string]*os.File{}}
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("take the sockets of systemd: %w", err)
		}
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("take the sockets of systemd: LISTEN_FDS is %q, not a number", count)
	}
	list := strings.Split(names, ":")
	if names == "" {
		list = slices.Repeat([]string{only}, n)
	}
	if len(list) != n {
		return nil, fmt.Errorf("take the sockets of systemd: %d names in LISTEN_FDNAMES for %d sockets", len(list), n)
	}
	for i, name := range list {
		if s.files[name] != nil {
			return nil, fmt.Errorf("take the sockets of systemd: two have the name %q; give each a FileDescriptorName of its own", name)
		}
		closeOnExec(firstSocket + i)
		s.files[name] = os.NewFile(uintptr(firstSocket+i), name)
	}
	return s, nil
}

// Take gives the socket of that name out, or nil where there is none.
func (s *Sockets) Take(name string) (net.Listener, error) {
	f := s.files[name]
	if f == nil {
		return nil, nil
	}
	delete(s.files, name)
	l, err := net.FileListener(f)
	_ = f.Close() // the listener has its own copy
	if err != nil {
		return nil, fmt.Errorf("the socket %q of systemd: %w", name, err)
	}
	return l, nil
}

// Close closes the sockets that nobody took, and returns their names.
func (s *Sockets) Close() []string {
	names := slices.Sorted(maps.Keys(s.files))
	for _, f := range s.files {
		_ = f.Close()
	}
	clear(s.files)
	return names
}
