package mongo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/storecall"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
)

// wire forwards connections to a server until it is cut.
type wire struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// through gives the configuration with a wire before the first server that it
// names, which must be the primary.
func through(t *testing.T, c mongodb.Config) (mongodb.Config, *wire) {
	t.Helper()
	u, err := url.Parse(c.URL.Value())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	t.Cleanup(w.cut)
	server, _, _ := strings.Cut(u.Host, ",")
	go w.forward(server)
	q := u.Query()
	q.Del("replicaSet")
	q.Set("directConnection", "true")
	u.Host, u.Path, u.RawQuery = l.Addr().String(), "/", q.Encode()
	c.URL, c.ServerSelectionTimeout = config.Secret(u.String()), 300*time.Millisecond
	return c, w
}

func (w *wire) forward(server string) {
	for {
		in, err := w.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", server)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		w.mu.Unlock()
		go func() { _, _ = io.Copy(in, out) }()
		go func() { _, _ = io.Copy(out, in) }()
	}
}

func (w *wire) cut() {
	_ = w.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
}

func TestAServerThatIsGoneIsUnavailable(t *testing.T) {
	c, w := through(t, database(t))
	s := open(t, c)
	if err := s.Log().Append(t.Context(), publish.Revision{N: 1}); err != nil {
		t.Fatal(err)
	}
	w.cut()
	for name, call := range map[string]func() error{
		"Append": func() error { return s.Log().Append(t.Context(), publish.Revision{N: 2}) },
		"Newest": func() error { _, err := s.Log().Newest(t.Context()); return err },
		"Apply": func() error {
			return s.Views().Apply(t.Context(), publish.Object{Org: "default", Kind: publish.KindAPI, ID: "a", Rev: 2})
		},
		"Put":  func() error { return s.Contents().Put(t.Context(), map[string][]byte{"a": nil}) },
		"Ping": func() error { return s.Ping(t.Context()) },
		"ByID": func() error { _, err := s.Users().ByID(t.Context(), "u"); return err },
	} {
		err := call()
		if !fault.Is(err, storecall.CodeUnavailable) || fault.As(err).Kind != fault.Unavailable {
			t.Errorf("%s: %v, want %s", name, err, storecall.CodeUnavailable)
		}
		// An outage must never be taken for an answer.
		for _, answer := range []error{publish.ErrTaken, publish.ErrNotFound, people.ErrNotFound} {
			if errors.Is(err, answer) {
				t.Errorf("%s: an outage reads as %q", name, answer)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Log().Newest(ctx); !fault.Is(err, storecall.CodeUnavailable) {
		t.Errorf("with a deadline of the caller: %v", err)
	}
}
