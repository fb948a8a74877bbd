package platform

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Seen is one request as an upstream got it.
type Seen struct {
	Method string      `json:"method"`
	Target string      `json:"target"` // path and query as they came
	Host   string      `json:"host"`
	Header http.Header `json:"headers"`
	Body   string      `json:"body"`
	Name   string      `json:"upstream"` // of the upstream that answers
	Proto  string      `json:"proto"`    // HTTP/1.1 or HTTP/2.0
	SNI    string      `json:"sni,omitempty"`
	Caller string      `json:"caller,omitempty"` // the subject of the caller's certificate
}

// Upstream is a backend. It answers by the last parts of the path: /status/N, /slow/DURATION (before
// the head), /stall/DURATION (within the body), /stream/N (lines, flushed one by one), /big/BYTES,
// /close (cuts the connection), /header/NAME/VALUE; and everything else with what it saw, as JSON.
type Upstream struct {
	Name string
	URL  string

	server *httptest.Server
	mu     sync.Mutex
	seen   []Seen
}

// NewUpstream starts a backend on a free port.
func NewUpstream(name string) *Upstream {
	u := &Upstream{Name: name}
	u.server = httptest.NewServer(u)
	u.URL = u.server.URL
	return u
}

// NewSecureUpstream is NewUpstream with TLS; next are the protocols that it offers (ALPN).
func NewSecureUpstream(name string, c *tls.Config, next ...string) *Upstream {
	u := &Upstream{Name: name}
	u.server = httptest.NewUnstartedServer(u)
	u.server.TLS = c.Clone()
	u.server.TLS.NextProtos = next
	u.server.EnableHTTP2 = slices.Contains(next, "h2")
	u.server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail on purpose
	u.server.StartTLS()
	u.URL = u.server.URL
	return u
}

// NewH2CUpstream is NewUpstream with HTTP/2 alone, without TLS.
func NewH2CUpstream(name string) *Upstream {
	u := &Upstream{Name: name}
	u.server = httptest.NewUnstartedServer(u)
	u.server.Config.Protocols = new(http.Protocols)
	u.server.Config.Protocols.SetUnencryptedHTTP2(true)
	u.server.Start()
	u.URL = u.server.URL
	return u
}

// Close stops it; requests in flight are cut.
func (u *Upstream) Close() {
	u.server.CloseClientConnections()
	u.server.Close()
}

// Seen returns the requests so far, oldest first.
func (u *Upstream) Seen() []Seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]Seen(nil), u.seen...)
}

// ServeHTTP answers one request.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s := Seen{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header, Body: string(body), Name: u.Name, Proto: r.Proto}
	if r.TLS != nil {
		s.SNI = r.TLS.ServerName
		if len(r.TLS.PeerCertificates) > 0 {
			s.Caller = r.TLS.PeerCertificates[0].Subject.CommonName
		}
	}
	u.mu.Lock()
	u.seen = append(u.seen, s)
	u.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	w.Header().Set("X-Upstream", u.Name)
	for i := 0; i+1 < len(parts); i++ {
		if u.special(w, r, parts[i:]) {
			return
		}
	}
	if parts[len(parts)-1] == "close" {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s)
}

// special answers what the path asks for; false: nothing special.
func (u *Upstream) special(w http.ResponseWriter, r *http.Request, parts []string) bool {
	number, err := strconv.Atoi(parts[1])
	wait, errWait := time.ParseDuration(parts[1])
	switch {
	case parts[0] == "status" && err == nil:
		w.WriteHeader(number)
		_, _ = fmt.Fprintf(w, "status %d of the upstream\n", number)
	case parts[0] == "slow" && errWait == nil:
		if pause(r, wait) {
			_, _ = io.WriteString(w, "late\n")
		}
	case parts[0] == "stall" && errWait == nil:
		_, _ = io.WriteString(w, "begin\n")
		_ = http.NewResponseController(w).Flush()
		if pause(r, wait) {
			_, _ = io.WriteString(w, "end\n")
		}
	case parts[0] == "stream" && err == nil:
		for i := range number {
			_, _ = fmt.Fprintf(w, "line %d\n", i+1)
			_ = http.NewResponseController(w).Flush()
		}
	case parts[0] == "big" && err == nil:
		w.Header().Set("Content-Length", parts[1])
		_, _ = io.CopyN(w, endless('x'), int64(number))
	case parts[0] == "header" && len(parts) > 2:
		w.Header().Set(parts[1], parts[2])
		_, _ = io.WriteString(w, "with a header\n")
	default:
		return false
	}
	return true
}

// pause waits, and returns false when the caller went away meanwhile.
func pause(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}
