package listen_test

import (
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/listen"
)

func TestMain(m *testing.M) {
	// the clock of the engine ends by itself some seconds after its last connection
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/sluice-gateway/sluice/gateway/http1/wire.(*Clock).run"))
}

func TestOpenSaysWhatIsWrongAndTheMend(t *testing.T) {
	taken, err := listen.Open(t.Context(), "listen.address", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, tc := range map[string]struct {
		address string
		want    string
	}{
		"in use":     {taken.Addr().String(), "is in use by another process; stop it or choose another port"},
		"no port":    {"127.0.0.1", "missing port"},
		"not here":   {"192.0.2.1:0", "listen.address 192.0.2.1:0"},
		"bad number": {"127.0.0.1:99999", "invalid port"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := listen.Open(t.Context(), "listen.address", tc.address)
			if err == nil {
				_ = l.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
}

// at is a listener with an address and nothing else.
type at struct {
	net.Listener
	addr net.Addr
}

func (a at) Addr() net.Addr { return a.addr }

func TestSelfIsHowTheProcessReachesItself(t *testing.T) {
	for text, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"0.0.0.0:8080":   "http://127.0.0.1:8080",
		"[::]:8080":      "http://127.0.0.1:8080",
		"[::1]:80":       "http://[::1]:80",
		"10.0.0.5:1":     "http://10.0.0.5:1",
	} {
		addr, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := listen.Self(at{addr: addr}); got != want {
			t.Errorf("%s: %s; want %s", text, got, want)
		}
	}
	if got := listen.Self(at{addr: &net.UnixAddr{Name: "/x"}}); got != "" {
		t.Errorf("a Unix socket: %s", got)
	}
}
