package certs_test

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/certs"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// shake does one handshake, over which the server says one byte, so that tickets
// arrive.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		c := tls.Server(nc, server)
		if c.HandshakeContext(t.Context()) == nil {
			_, _ = c.Write([]byte("x"))
			_, _ = c.Read(make([]byte, 1))
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err != nil {
		<-done
		return tls.ConnectionState{}, err
	}
	st := c.ConnectionState()
	_ = c.Close()
	<-done
	return st, nil
}

func TestVersionsAndSuites(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "h")
	ca.Write(dir, "r", certstest.Options{RSA: true}, "h")
	server := open(t, certs.Options{Dir: dir}).ServerConfig("h2", "http/1.1")
	for name, c := range map[string]struct {
		min, max uint16
		ok       bool
	}{
		"TLS 1.0": {tls.VersionTLS10, tls.VersionTLS10, false},
		"TLS 1.1": {tls.VersionTLS11, tls.VersionTLS11, false},
		"TLS 1.2": {tls.VersionTLS12, tls.VersionTLS12, true},
		"TLS 1.3": {tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		st, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "h", MinVersion: c.min, MaxVersion: c.max, NextProtos: []string{"h2"}})
		if (err == nil) != c.ok || err == nil && (st.NegotiatedProtocol != "h2" || st.Version != c.max) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok && !strings.Contains(err.Error(), "remote error: tls: protocol version not supported") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is offered alone must lead to no connection: RC4, 3DES, CBC, and everything
	// without forward secrecy.
	for _, suite := range tls.InsecureCipherSuites() {
		if _, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "h", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); err == nil {
			t.Errorf("%s is accepted", suite.Name)
		}
	}
	if _, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "h", NextProtos: []string{"spdy/3"}}); err == nil {
		t.Error("a client that speaks neither HTTP/1.1 nor HTTP/2 is taken")
	}
}

func TestAnUnknownNameIsAnAlert(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "a.test")
	without := open(t, certs.Options{Dir: dir}).ServerConfig("http/1.1")
	with := open(t, certs.Options{Dir: dir, Default: "a"}).ServerConfig("http/1.1")
	for _, name := range []string{"", "b.test"} {
		client := &tls.Config{ServerName: name, InsecureSkipVerify: true}
		_, err := shake(t, without, client)
		if err == nil || !strings.Contains(err.Error(), "remote error: tls: unrecognized name") {
			t.Errorf("name %q: %v", name, err)
		}
		st, err := shake(t, with, client)
		if err != nil || st.PeerCertificates[0].Subject.CommonName != "a.test" {
			t.Errorf("name %q with a default: %v", name, err)
		}
	}
}

// TestTicketsAreForOneName: a ticket of one name must not open a session of
// another, and none is older than a week.
func TestTicketsAreForOneName(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "both", certstest.Options{NotAfter: time.Now().AddDate(9, 0, 0)}, "a.test", "b.test")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var ahead atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		server := open(t, certs.Options{Dir: dir, Now: now}).ServerConfig("http/1.1")
		cache := &oneTicket{}
		resumed := func(name string) bool {
			t.Helper()
			st, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: name, ClientSessionCache: cache, MaxVersion: version, Time: func() time.Time { return cache.shows(now()) }})
			if err != nil {
				t.Fatal(err)
			}
			return st.DidResume
		}
		if resumed("a.test") {
			t.Error("the first session is resumed")
		}
		if !resumed("a.test") {
			t.Error("a second session of the same name is not resumed")
		}
		if resumed("b.test") {
			t.Error("a ticket of a.test opens a session of b.test")
		}
		if !resumed("b.test") {
			t.Error("the ticket of b.test is worth nothing")
		}
		ahead.Store(int64(26 * time.Hour))
		if !resumed("b.test") {
			t.Error("yesterday's ticket is not taken")
		}
		cache.freeze = now() // the client holds its ticket to be fresh
		cache.held = true
		ahead.Store(int64(10 * 24 * time.Hour))
		if resumed("b.test") {
			t.Error("a ticket of last week is taken")
		}
	}
}

// oneTicket gives a client the last ticket, whatever the server's name.
type oneTicket struct {
	last   *tls.ClientSessionState
	freeze time.Time
	held   bool
}

func (o *oneTicket) Get(string) (*tls.ClientSessionState, bool) { return o.last, o.last != nil }
func (o *oneTicket) Put(_ string, s *tls.ClientSessionState)    { o.last = s }
func (o *oneTicket) shows(now time.Time) time.Time {
	if o.held {
		return o.freeze
	}
	return now
}

// TestReloadUnderHandshakes: certificates change while clients shake hands, and
// every handshake gets a whole one.
func TestReloadUnderHandshakes(t *testing.T) {
	dir, ca := t.TempDir(), certstest.NewCA(t, "ca")
	ca.Write(dir, "a", certstest.Options{}, "h")
	s := open(t, certs.Options{Dir: dir})
	server := s.ServerConfig("http/1.1")
	seen := map[string]bool{}
	chain, key := ca.Issue(certstest.Options{}, "h")
	for round := range 30 {
		switch round % 3 {
		case 0:
			ca.Write(dir, "a", certstest.Options{}, "h")
		case 1: // the chain has come, its key has not
			certstest.Put(t, filepath.Join(dir, "a.crt"), chain)
		case 2:
			certstest.Put(t, filepath.Join(dir, "a.key"), key)
		}
		reloaded := make(chan error, 1)
		go func() { reloaded <- s.Reload() }()
		st, err := shake(t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "h"})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		seen[st.PeerCertificates[0].SerialNumber.String()] = true
		if err := <-reloaded; err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d certificates were seen", len(seen))
	}
}
