package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestTimeouts(t *testing.T) {
	stop := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = w.Write([]byte("begin"))
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(stop) })
	short := 50 * time.Millisecond
	for name, tc := range map[string]struct {
		path   string
		config func(*Config)
		total  time.Duration
		grpc   string
		want   message.Kind
	}{
		"first byte":     {"/", func(c *Config) { c.FirstByteTimeout = short }, 0, "", message.ErrFirstByteTimeout},
		"body":           {"/body", func(c *Config) { c.BodyTimeout = short }, 0, "", message.ErrBodyTimeout},
		"total":          {"/", nil, short, "", message.ErrDeadline},
		"total in body":  {"/body", func(c *Config) { c.BodyTimeout = -1 }, 4 * short, "", message.ErrDeadline},
		"gRPC timeout":   {"/", nil, 0, "50m", message.ErrDeadline},
		"longer gRPC":    {"/", nil, short, "1H", message.ErrDeadline},
		"no gRPC format": {"/", func(c *Config) { c.FirstByteTimeout = short }, 0, "1x", message.ErrFirstByteTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newClient(t, o.addr, func(c *Config) {
				if tc.config != nil {
					tc.config(c)
				}
			})
			r := request("POST", "hello")
			if tc.grpc != "" {
				r.Header.Add("Content-Type", "application/grpc")
				r.Header.Add("Grpc-Timeout", tc.grpc)
			}
			out := message.Outbound{Target: tc.path}
			if tc.total > 0 {
				out.Deadline = time.Now().Add(tc.total)
			}
			resp, err := p.Do(r.Context, r, out)
			if tc.path == "/body" {
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			f := wantFailure(t, err, tc.want)
			if !f.Sent || tc.path != "/body" && f.Consumed {
				t.Errorf("%+v", f) // the body was given back
			}
		})
	}
}

func TestAClientThatGoesAwayCancelsTheStream(t *testing.T) {
	cancelled := make(chan struct{}, 8)
	began := make(chan struct{}, 8)
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		if r.URL.Path == "/body" {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
		cancelled <- struct{}{}
	})
	p := newClient(t, o.addr)
	for _, path := range []string{"/", "/body"} {
		for _, by := range []string{"abort", "context"} {
			r, in := streamed("POST")
			ctx, cancel := context.WithCancel(context.Background())
			r.Context = ctx
			if by == "context" {
				r.Abort = nil
			}
			answered := make(chan struct{})
			go func() {
				<-began
				if path == "/body" {
					<-answered
				}
				if by == "abort" {
					r.Abort.Fire()
				} else {
					cancel()
				}
			}()
			resp, err := p.Do(r.Context, r, message.Outbound{Target: path})
			close(answered)
			if path == "/body" {
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			wantFailure(t, err, message.ErrAborted)
			<-cancelled
			cancel()
			_ = in.Close()
		}
	}
	r := request("GET", "")
	r.Abort.Fire()
	_, err := p.Do(r.Context, r, message.Outbound{Target: "/"})
	if f := wantFailure(t, err, message.ErrAborted); f.Sent {
		t.Error("sent")
	}
}

func TestAClosedClientStillSendsAndKeepsNothing(t *testing.T) {
	gate := make(chan struct{})
	o := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			_ = http.NewResponseController(w).Flush()
			<-gate
			_, _ = w.Write([]byte("end"))
		}
	})
	p := newClient(t, o.addr)
	resp := do(t, p, request("GET", ""), "/hold")
	p.Close()
	close(gate)
	if b := read(t, resp); b != "end" {
		t.Errorf("%q", b)
	}
	testenv.Eventually(t, 5*time.Second, func() bool { return o.open.Load() == 0 })
	read(t, do(t, p, request("GET", ""), "/late"))
	testenv.Eventually(t, 5*time.Second, func() bool { return o.open.Load() == 0 })
}

func TestTargetsThatCannotBeReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	p := newClient(t, addr)
	r := request("POST", "hello")
	_, err = p.Do(r.Context, r, message.Outbound{Target: "/"})
	if f := wantFailure(t, err, message.ErrConnect); f.Sent || f.Consumed {
		t.Errorf("%+v", f)
	}
	if n := r.Body.(*strings.Reader).Len(); n != 5 {
		t.Errorf("%d bytes of the body are left", n)
	}
	p = newClient(t, addr, func(c *Config) {
		c.ConnectTimeout = 20 * time.Millisecond
		c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	_, err = p.Do(r.Context, r, message.Outbound{Target: "/"})
	wantFailure(t, err, message.ErrConnectTimeout)
	p = newClient(t, addr, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &message.Failure{Kind: message.ErrTLS, Err: io.ErrNoProgress}
		}
	})
	_, err = p.Do(r.Context, r, message.Outbound{Target: "/"})
	if wantFailure(t, err, message.ErrTLS); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}
