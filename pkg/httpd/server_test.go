package httpd_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func listen(t *testing.T, h http.Handler) *httpd.Server {
	t.Helper()
	s, err := httpd.Listen(t.Context(), httpd.ServerOptions{Name: "admin", Address: "127.0.0.1:0", Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestPortInUseIsToldWithItsMend(t *testing.T) {
	s := listen(t, nil)
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = httpd.Listen(t.Context(), httpd.ServerOptions{Name: "data", Address: s.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "data: port "+port+" is in use") || !strings.Contains(err.Error(), "configure another address") {
		t.Errorf("got %v", err)
	}
	_, err = httpd.Listen(t.Context(), httpd.ServerOptions{Name: "data", Address: "192.0.2.1:8080"})
	if err == nil || !strings.Contains(err.Error(), "no address 192.0.2.1:8080") {
		t.Errorf("got %v", err)
	}
}

func TestRunningRequestsFinishAndNewOnesAreRefused(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, 10*time.Second) }()
	answer := make(chan string, 1)
	go func() { answer <- fetch(s.URL()) }()
	<-entered
	stop()
	testenv.Eventually(t, 5*time.Second, func() bool {
		c, err := net.Dial("tcp", s.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	close(release)
	if !strings.HasPrefix(s.URL(), "http://") {
		t.Errorf("a plain server's URL became %s by serving", s.URL())
	}
	if got := <-answer; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRequestsThatDoNotFinishAreCut(t *testing.T) {
	entered := make(chan struct{})
	s := listen(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	told := make(chan struct{})
	s.OnShutdown(func() { close(told) })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, 20*time.Millisecond) }()
	go fetch(s.URL())
	<-entered
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "requests were cut") {
		t.Errorf("got %v", err)
	}
	<-told
}

func TestShutdownBeforeServeFreesThePort(t *testing.T) {
	s := listen(t, nil)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}

func TestURL(t *testing.T) {
	s, err := httpd.Listen(t.Context(), httpd.ServerOptions{Address: ":0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("%s is not dialled on every system", s.URL())
	}
}

func fetch(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
