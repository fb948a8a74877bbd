package http2_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server on a port of its own; both end with the test.
func serve(t testing.TB, h message.Handler, c http2.ServerConfig) (*http2.Server, string) {
	t.Helper()
	if c.NewID == nil {
		c.NewID = func() string { return "id" }
	}
	s := http2.NewServer(h, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			p := http2.Peer{Remote: port(nc.RemoteAddr()), Local: port(nc.LocalAddr())}
			all.Go(func() { s.ServeConn(context.WithoutCancel(t.Context()), nc, p) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		_ = s.Shutdown(ctx)
		all.Wait()
	})
	return s, l.Addr().String()
}

func port(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

// client speaks HTTP/1.1, or HTTP/2 by prior knowledge.
func client(t testing.TB, major int) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(major == 1)
	p.SetUnencryptedHTTP2(major == 2)
	tr := &http.Transport{Protocols: p, DisableCompression: true, ExpectContinueTimeout: 5 * time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestContract(t *testing.T) {
	for name, c := range map[string]struct {
		major int
		conf  http2.ServerConfig
	}{
		"HTTP/2":             {2, http2.ServerConfig{H2C: true}},
		"HTTP/2 beside 1.1":  {2, http2.ServerConfig{H2C: true, HTTP1: true}},
		"net/http":           {1, http2.ServerConfig{HTTP1: true}},
		"net/http beside h2": {1, http2.ServerConfig{H2C: true, HTTP1: true}},
	} {
		t.Run(name, func(t *testing.T) {
			messagetest.Run(t, func(t *testing.T, h message.Handler) messagetest.Server {
				_, addr := serve(t, h, c.conf)
				return messagetest.Server{URL: "http://" + addr, Client: client(t, c.major), Major: c.major}
			})
		})
	}
}
