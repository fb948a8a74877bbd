package http2_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

const soon = 50 * time.Millisecond

// answer writes a whole response.
func answer(w message.Writer, body string) error {
	if err := w.WriteHead(&message.Response{Status: 200, ContentLength: int64(len(body))}); err != nil {
		return err
	}
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	return w.Finish(nil)
}

// TestClientThatTakesNothing: whatever the size of the body, and though the
// connection itself is alive.
func TestClientThatTakesNothing(t *testing.T) {
	for _, size := range []int{1, 4 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			end := make(chan error, 1)
			s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
				end <- answer(w, strings.Repeat("x", size))
			}), http2.ServerConfig{H2C: true, WriteTimeout: soon})
			c := dialRaw(t, addr, h2.Setting{ID: h2.SettingInitialWindowSize, Val: 0})
			c.headers(1, true, get()...)
			if got := c.outcome(1); got != "reset INTERNAL_ERROR" {
				t.Errorf("%q", got)
			}
			if err := <-end; err == nil {
				t.Error("the handler was told that all is well")
			}
			testenv.Eventually(t, reading, func() bool { st := s.Stats(); return st.Timeouts == 1 && st.Active == 0 })
		})
	}
}

func TestClientThatReadsNothing(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			body := strings.Repeat("x", 32<<20)
			end := make(chan error, 1)
			s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
				end <- answer(w, body)
			}), http2.ServerConfig{H2C: true, HTTP1: true, WriteTimeout: soon, IdleTimeout: soon})
			if major == 1 {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = nc.Close() }()
				_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			} else {
				c := dialRaw(t, addr, h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1<<31 - 1})
				_ = c.fr.WriteWindowUpdate(0, 1<<30)
				c.headers(1, true, get()...)
			}
			if err := <-end; err == nil {
				t.Error("the handler was told that all is well")
			}
			testenv.Eventually(t, reading, func() bool { return s.Stats().Connections == 0 })
		})
	}
}

func TestClientThatSendsTooSlowly(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			end := make(chan error, 1)
			s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
				_, err := io.ReadAll(r.Body)
				end <- err
				_ = answer(w, "late")
			}), http2.ServerConfig{H2C: true, HTTP1: true, BodyGrace: soon})
			pr, pw := io.Pipe()
			defer func() { _ = pw.Close() }()
			go func() { _, _ = io.WriteString(pw, "some") }()
			r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+addr, pr)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client(t, major).Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			if err := <-end; err == nil || errors.Is(err, io.EOF) {
				t.Errorf("the body's end: %v", err)
			}
			testenv.Eventually(t, reading, func() bool { return s.Stats().Timeouts == 1 })
		})
	}
}

// TestSlowAndSteadyBodyIsTaken: the rate counts, not the time.
func TestSlowAndSteadyBodyIsTaken(t *testing.T) {
	_, addr := serve(t, &echo{}, http2.ServerConfig{H2C: true, BodyGrace: 200 * time.Millisecond, BodyRate: 1})
	pr, pw := io.Pipe()
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 25 {
			<-tick.C
			_, _ = io.WriteString(pw, "x")
		}
		_ = pw.Close()
	}()
	resp, err := client(t, 2).Post("http://"+addr, "", pr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); !strings.HasSuffix(string(b), strings.Repeat("x", 25)) || err != nil {
		t.Errorf("%q %v", b, err)
	}
}

func TestStreamsBeyondTheLimitAreRefusedAndOthersServed(t *testing.T) {
	hold := make(chan struct{})
	_, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
		<-hold
		_ = answer(w, "ok")
	}), http2.ServerConfig{H2C: true})
	c := dialRaw(t, addr)
	for i := range 1000 {
		c.headers(uint32(2*i+1), true, get()...)
	}
	refused, served := 0, 0
	for refused+served < 1000 {
		f, err := c.next()
		if err != nil {
			t.Fatalf("%d refused, %d served: %v", refused, served, err)
		}
		switch f := f.(type) {
		case *h2.SettingsFrame:
			if n, ok := f.Value(h2.SettingMaxConcurrentStreams); ok && n != 100 {
				t.Errorf("%d streams announced", n)
			}
		case *h2.RSTStreamFrame:
			if refused++; refused == 900 {
				close(hold)
			}
		case *h2.DataFrame:
			if f.StreamEnded() {
				served++
			}
		}
	}
	if refused != 900 {
		t.Errorf("%d refused, %d served", refused, served)
	}
}

func TestShutdownSaysGoAwayAndFinishes(t *testing.T) {
	at, hold := make(chan struct{}), make(chan struct{})
	s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
		close(at)
		<-hold
		_ = answer(w, "finished")
	}), http2.ServerConfig{H2C: true})
	c := dialRaw(t, addr)
	c.headers(1, true, get()...)
	<-at
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(t.Context()) }()
	for {
		f, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if g, ok := f.(*h2.GoAwayFrame); ok {
			if g.ErrCode != h2.ErrCodeNo || g.LastStreamID != 1 {
				t.Errorf("%v, last stream %d", g.ErrCode, g.LastStreamID)
			}
			break
		}
	}
	c.headers(3, true, get()...) // not seen by the handler, which would close twice
	close(hold)
	if got := c.outcome(1); got != "200 finished" {
		t.Errorf("%q", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if nc, err := net.Dial("tcp", addr); err == nil { // taken by the listener, closed by the server
		_ = nc.SetReadDeadline(time.Now().Add(reading))
		if n, err := nc.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("served after the end")
		}
		_ = nc.Close()
	}
}

func TestShutdownCutsWhatIsLeft(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			at := make(chan struct{})
			s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
				close(at)
				<-r.Context.Done()
				w.Fail()
			}), http2.ServerConfig{H2C: true, HTTP1: true})
			failed := make(chan error, 1)
			go func() {
				resp, err := client(t, major).Post("http://"+addr, "", nil)
				if err == nil {
					_ = resp.Body.Close()
				}
				failed <- err
			}()
			<-at
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if <-failed == nil {
				t.Error("it was answered")
			}
		})
	}
}

func TestConnectionEndsAfterSoManyRequests(t *testing.T) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			s, addr := serve(t, &echo{}, http2.ServerConfig{H2C: true, HTTP1: true, MaxRequestsPerConnection: 3})
			cl := client(t, major)
			for range 7 {
				resp, err := cl.Get("http://" + addr)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if n := s.Stats().Accepted; n < 2 || n > 4 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestIdleAndSilentConnectionsAreClosed(t *testing.T) {
	c := http2.ServerConfig{H2C: true, IdleTimeout: soon, HeaderTimeout: soon}
	t.Run("idle", func(t *testing.T) {
		_, addr := serve(t, &echo{}, http2.ServerConfig{H2C: true, IdleTimeout: soon})
		r, got := dialRaw(t, addr), "closed"
		for r.headers(1, true, get()...); ; r.headers(1, true, get()...) {
			if got = r.outcome(1); got != "closed" { // it was idle before its request
				break
			}
			r = dialRaw(t, addr)
		}
		if !strings.HasPrefix(got, "200") {
			t.Errorf("%q", got)
		}
		if got := r.ended(); got != "NO_ERROR" {
			t.Errorf("ended by %s", got)
		}
	})
	t.Run("silent", func(t *testing.T) {
		_, addr := serve(t, &echo{}, c)
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		_ = nc.SetReadDeadline(time.Now().Add(reading))
		if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
			t.Errorf("%q %v", b, err)
		}
	})
	t.Run("a head that does not end", func(t *testing.T) {
		_, addr := serve(t, &echo{}, c)
		r := dialRaw(t, addr)
		_ = r.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
		_ = r.nc.SetReadDeadline(time.Now().Add(reading))
		if _, err := io.Copy(io.Discard, r.nc); err != nil { // nothing is acknowledged: the head goes on
			t.Error(err)
		}
	})
}

func TestUpgradeHandsTheConnectionOver(t *testing.T) {
	s, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
		if r.Upgrade != "echo/1" {
			t.Errorf("upgrade %q", r.Upgrade)
		}
		head := &message.Response{Status: 101}
		head.Header.Add("Upgrade", "echo/1")
		head.Header.Add("X-A", "a")
		if err := w.WriteHead(head); err != nil {
			t.Error(err)
		}
		if err := w.Flush(); err != nil {
			t.Error(err)
		}
		nc, early, err := w.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = nc.Write(early)
		_, _ = io.Copy(nc, nc)
		_ = nc.Close()
	}), http2.ServerConfig{HTTP1: true})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_ = nc.SetDeadline(time.Now().Add(reading))
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Echo/1\r\n\r\nearly")
	b := bufio.NewReader(nc)
	resp, err := http.ReadResponse(b, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo/1" || resp.Header.Get("X-A") != "a" || resp.Header.Get("Connection") != "Upgrade" {
		t.Fatalf("%v %+v", err, resp)
	}
	_, _ = io.WriteString(nc, " and late")
	got := make([]byte, len("early and late"))
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "early and late" {
		t.Errorf("%q %v", got, err)
	}
	if st := s.Stats(); st.Connections != 1 || st.Active != 1 {
		t.Errorf("%+v", st)
	}
	_ = nc.Close()
	testenv.Eventually(t, reading, func() bool { return s.Stats().Connections == 0 })
}

func TestContinueIsSentWhenTheBodyIsRead(t *testing.T) {
	_, addr := serve(t, messagetest.Func(func(w message.Writer, r *message.Request) {
		if r.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		_ = answer(w, "ok")
	}), http2.ServerConfig{H2C: true})
	c := dialRaw(t, addr)
	post := append([]string{":method: POST"}, get("expect: 100-continue", "content-length: 1")[1:]...)
	c.headers(1, false, post...)
	if got := c.outcome(1); got != "200 ok" {
		t.Errorf("not read: %q", got)
	}
	post[3] = ":path: /read"
	c.headers(3, false, post...)
	for {
		f, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := f.(*h2.MetaHeadersFrame); ok && m.StreamID == 3 {
			if m.PseudoValue("status") != "100" {
				t.Fatalf("%v", m.Fields)
			}
			break
		}
	}
	_ = c.fr.WriteData(3, true, []byte("x"))
	if got := c.outcome(3); got != "200 ok" {
		t.Errorf("read: %q", got)
	}
}

func TestTLSSaysWhatIsSpoken(t *testing.T) {
	ts := httptest.NewUnstartedServer(nil)
	ts.StartTLS() // for its certificate
	defer ts.Close()
	for _, tc := range []struct {
		name  string
		alpn  []string
		suite uint16
		major int // 0: refused
	}{
		{"h2", []string{"h2", "http/1.1"}, 0, 2},
		{"http/1.1", []string{"http/1.1"}, 0, 1},
		{"nothing agreed on", nil, 0, 1},
		{"a weak cipher", []string{"h2"}, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := http2.NewServer(messagetest.Func(func(w message.Writer, r *message.Request) {
				if r.Major != tc.major || r.Scheme != "https" || r.TLS == nil || r.TLS.NegotiatedProtocol != strings.Join(tc.alpn[:min(1, len(tc.alpn))], "") {
					t.Errorf("HTTP/%d, %s, %+v", r.Major, r.Scheme, r.TLS)
				}
				_ = answer(w, "ok")
			}), http2.ServerConfig{HTTP1: true})
			a, b := net.Pipe()
			conf := ts.TLS.Clone()
			conf.NextProtos = []string{"h2", "http/1.1"}
			if tc.suite != 0 {
				conf.CipherSuites, conf.MaxVersion = []uint16{tc.suite}, tls.VersionTLS12
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				nc := tls.Server(a, conf)
				if err := nc.Handshake(); err != nil {
					t.Error(err)
					return
				}
				st := nc.ConnectionState()
				s.ServeConn(context.WithoutCancel(t.Context()), nc, http2.Peer{TLS: &st})
			}()
			p := new(http.Protocols)
			p.SetHTTP1(true)
			p.SetHTTP2(true)
			tr := &http.Transport{Protocols: p, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
				nc := tls.Client(b, &tls.Config{InsecureSkipVerify: true, NextProtos: tc.alpn}) //nolint:gosec // a test's own certificate
				return nc, nc.Handshake()
			}}
			r, err := http.NewRequestWithContext(t.Context(), "POST", "https://a.example", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.RoundTrip(r)
			if (err == nil) != (tc.major != 0) || err == nil && resp.ProtoMajor != tc.major {
				t.Errorf("%v %+v", err, resp)
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			tr.CloseIdleConnections()
			_ = b.Close()
			<-done
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
