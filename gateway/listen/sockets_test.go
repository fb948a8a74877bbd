package listen_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/listen"
)

// TestSocketsOfSystemd starts this program anew as systemd does, with listening
// sockets as descriptors 3 and on.
func TestSocketsOfSystemd(t *testing.T) {
	if os.Getenv("SOCKETS_CHILD") != "" {
		child()
		return
	}
	files := make([]*os.File, 2)
	addr := make([]string, 2)
	for i := range files {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr[i] = l.Addr().String()
		if files[i], err = l.(*net.TCPListener).File(); err != nil {
			t.Fatal(err)
		}
		_ = l.Close() // the descriptor stays open
		defer func() { _ = files[i].Close() }()
	}
	for name, tc := range map[string]struct {
		pid, env, want string
	}{
		"by name":          {"$$", "LISTEN_FDS=2 LISTEN_FDNAMES=other:data", "data=" + addr[1] + " left=[other] children=\n"},
		"all of them":      {"$$", "LISTEN_FDS=2 LISTEN_FDNAMES=data:internal", "data=" + addr[0] + " internal=" + addr[1] + " left=[] children=\n"},
		"without names":    {"$$", "LISTEN_FDS=1", "data=" + addr[0] + " left=[] children=\n"},
		"of somebody else": {"1", "LISTEN_FDS=2 LISTEN_FDNAMES=data:internal", "left=[] children=1\n"},
		"no number":        {"$$", "LISTEN_FDS=x", "error: take the sockets of systemd: LISTEN_FDS is \"x\", not a number\n"},
		"too few names":    {"$$", "LISTEN_FDS=2 LISTEN_FDNAMES=data", "error: take the sockets of systemd: 1 names in LISTEN_FDNAMES for 2 sockets\n"},
		"one name twice":   {"$$", "LISTEN_FDS=2 LISTEN_FDNAMES=data:data", "error: take the sockets of systemd: two have the name \"data\"; give each a FileDescriptorName of its own\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-c", "export LISTEN_PID="+tc.pid+" "+tc.env+` SOCKETS_CHILD=1; exec "$0" -test.run '^TestSocketsOfSystemd$'`, os.Args[0])
			cmd.ExtraFiles = files
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, &out)
			}
			if got, _, _ := strings.Cut(out.String(), "PASS"); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// child says which sockets it got, and that they listen.
func child() {
	s, err := listen.Inherited("data")
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	for _, name := range []string{"data", "internal"} {
		l, err := s.Take(name)
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		if l == nil {
			continue
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.WriteString(c, "hello")
				_ = c.Close()
			}
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			fmt.Println("error:", err)
			return
		}
		if b, _ := io.ReadAll(c); string(b) == "hello" {
			fmt.Printf("%s=%s ", name, l.Addr())
		}
		_ = c.Close()
		_ = l.Close()
		if again, err := s.Take(name); again != nil || err != nil {
			fmt.Println("it is given out twice")
		}
	}
	fmt.Printf("left=%v children=%s\n", s.Close(), os.Getenv("LISTEN_PID"))
}
