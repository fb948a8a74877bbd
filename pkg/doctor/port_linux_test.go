package doctor

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/httpd"
)

// TestMain lets the test binary be another program that holds a port.
func TestMain(m *testing.M) {
	if address := os.Getenv("SLUICE_TEST_HOLD"); address != "" {
		l, err := net.Listen("tcp", address)
		fmt.Println(err)
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				_ = c.Close()
			}
		}()
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test ends
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// stranger starts another process that listens on the address.
func stranger(t *testing.T, address string) (pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_TEST_HOLD="+address)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "<nil>\n" {
		t.Fatalf("%q, %v", said, err)
	}
	return cmd.Process.Pid
}

// service answers /hello as a service of ours.
func service(t *testing.T, name, version string, status httpd.Status) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status != httpd.Pass {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, `{"service":%q,"version":%q,"node":"gw-1","status":%q,"components":{"redis":{"status":%q,"detail":"refused"}}}`, name, version, status, status)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestPorts(t *testing.T) {
	t.Parallel()
	look := func(hello string, others ...string) (found []Finding) {
		p := Ports{Service: "gateway", Version: "v1.0.0", Hello: Port{"admin.address", hello}}
		for _, o := range others {
			p.Others = append(p.Others, Port{"listen.address", o})
		}
		for _, c := range p.Checks() {
			found = append(found, run(t, c))
		}
		return found
	}
	own, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer own.Close()
	mine := own.Addr().String()

	f := look(free(t), free(t))
	want(t, f[0], OK, "(admin.address) is free")
	want(t, f[1], OK, "(listen.address) is free")

	f = look(service(t, "gateway", "v1.0.0", httpd.Pass), mine)
	want(t, f[0], OK, "held by the running gateway gw-1, version v1.0.0")
	want(t, f[1], OK, "held by the running gateway")
	want(t, look(service(t, "gateway", "v0.9.0", httpd.Pass))[0], Warn, "version v0.9.0, while this program is v1.0.0", "restart it")
	want(t, look(service(t, "gateway", "v1.0.0", httpd.Fail))[0], Warn, "redis fail: refused", "/hello")

	taken := free(t)
	pid := stranger(t, taken)
	holder := fmt.Sprintf("(process %d)", pid)
	f = look(taken, mine)
	want(t, f[0], Fail, "is held by ", holder, "no sluice-gateway answers", "ss -ltnp")
	want(t, f[1], Fail, "no sluice-gateway answers")
	f = look(service(t, "gateway", "v1.0.0", httpd.Pass), taken)
	want(t, f[1], Fail, "is held by ", holder, "but the running gateway is ", fmt.Sprintf("(process %d)", os.Getpid()))
	// a service of another kind is a stranger too
	want(t, look(service(t, "pump", "v1.0.0", httpd.Pass))[0], Fail, "no sluice-gateway answers")
	// every address of the machine is in the way of one of them, and the other way round
	_, port, _ := net.SplitHostPort(taken)
	want(t, look(":" + port)[0], Fail, "is held by ", holder)
	want(t, look("0.0.0.0:" + port)[0], Fail, holder)

	want(t, look("192.0.2.1:8080")[0], Fail, "no address 192.0.2.1:8080", "to :8080")
	want(t, look("no-such-host.invalid:1")[0], Fail, "cannot be taken")
	if nobodyMayBindLow() {
		bound(t, func() { want(t, look("127.0.0.1:81")[0], Fail, "may not be taken", "CAP_NET_BIND_SERVICE") })
	}
}

// nobodyMayBindLow tells whether low ports are guarded on this machine from the user
// who runs the test; a changed file-system user keeps the right to bind.
func nobodyMayBindLow() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	return err == nil && strings.TrimSpace(string(text)) == "1024" && os.Geteuid() != 0
}

func TestALookAtAPortStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	address := free(t)
	for range 200 {
		done := make(chan error)
		go func() { done <- bindable(t.Context(), address) }()
		l, err := net.Listen("tcp", address)
		must(t, err)
		<-done // it may have met the listener
		must(t, l.Close())
	}
}
