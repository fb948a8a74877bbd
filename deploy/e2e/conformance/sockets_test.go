package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

const hangup = syscall.SIGHUP

// callers call without a pause.
type callers struct {
	stop  context.CancelFunc
	work  sync.WaitGroup
	calls atomic.Int64
	mu    sync.Mutex
	errs  []error
}

func startCallers(t *testing.T, n int, call func() error) *callers {
	t.Helper()
	l := &callers{}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	t.Cleanup(func() { stop(); l.work.Wait() })
	for range n {
		l.work.Go(func() {
			for ctx.Err() == nil {
				err := call()
				l.calls.Add(1)
				if err != nil {
					l.mu.Lock()
					l.errs = append(l.errs, err)
					l.mu.Unlock()
				}
			}
		})
	}
	return l
}

// more waits until n more calls were made.
func (l *callers) more(t *testing.T, n int64) {
	t.Helper()
	n += l.calls.Load()
	testenv.Eventually(t, 20*time.Second, func() bool { return l.calls.Load() >= n })
}

func (l *callers) end(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() bool { return l.calls.Load() >= 50 }) // fewer tell nothing
	l.stop()
	l.work.Wait()
	t.Logf("%d calls", l.calls.Load())
	if len(l.errs) > 0 {
		t.Errorf("%d of %d failed, the first with: %v", len(l.errs), l.calls.Load(), l.errs[0])
	}
}

// activated starts a gateway as systemd would: with sockets, their number, their names and the process
// they are for in the environment.
func activated(t *testing.T, g *platform.Service, log *os.File, sockets map[string]*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0"`, platform.Binary("sluice-gateway"))
	var names []string
	for name, f := range sockets {
		names, cmd.ExtraFiles = append(names, name), append(cmd.ExtraFiles, f)
	}
	cmd.Env = append(g.Env, "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// With sockets of systemd a gateway is stopped and started while clients call, and none of them fails.
func TestSocketsOfSystemdOutliveTheGateway(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); errors.Is(err, os.ErrNotExist) {
		t.Skip("a shell stands for systemd")
	}
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`,
	}))(t)
	publish(t, p, openAPI("Told", "/", map[string]any{"targets": targets(teller(t))}))
	if err := g.Stop(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	sockets, addr := map[string]*os.File{}, map[string]string{}
	for _, name := range []string{"data", "secure"} {
		l := testenv.Must(net.Listen("tcp", "127.0.0.1:0"))(t).(*net.TCPListener)
		sockets[name], addr[name] = testenv.Must(l.File())(t), l.Addr().String()
		if err := l.Close(); err != nil { // the copy stays open
			t.Fatal(err)
		}
		defer func() { _ = sockets[name].Close() }()
	}
	log := testenv.Must(os.CreateTemp(t.TempDir(), "log"))(t)
	defer func() { _ = log.Close() }()
	defer func() {
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s", text)
		}
	}()
	call := func(name string, c *tls.Config, want string) error {
		status, body, _, err := visit(t, addr[name], c, get("front.test", "/"))
		if err == nil && (status != 200 || body != want) {
			err = errors.New(strconv.Itoa(status) + " " + body)
		}
		return err
	}
	plain := func() error { return call("data", nil, "http 127.0.0.1") }
	secure := func() error { return call("secure", ca.Client("front.test"), "https 127.0.0.1") }
	first := make(chan error, 1)
	go func() { first <- plain() }() // it waits in the socket until there is a gateway
	cmd := activated(t, g, log, sockets)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	a, b := startCallers(t, 2, plain), startCallers(t, 2, secure)
	for range 3 {
		wait := a.calls.Load() + 25
		for a.calls.Load() < wait {
			if err := plain(); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		cmd = activated(t, g, log, sockets)
	}
	a.end(t)
	b.end(t)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
