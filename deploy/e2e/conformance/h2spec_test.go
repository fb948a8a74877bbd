package conformance

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	speccases "github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
	"golang.org/x/net/http2"
	hpacktext "golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// waiver is a case that the gateway does not pass on some listeners. Where it passes again the waiver is
// an error, and so it is where instead does not hold.
type waiver struct {
	only    string // the listener; empty: all
	why     string
	instead func(c *config.Config) error // what the gateway does, and h2spec does not take
}

func waivers() map[string]waiver {
	const answered = "a malformed request may be answered before its stream is closed (RFC 9113, 8.1.1): it gets 400 with END_STREAM, which says what is wrong, and h2spec takes a reset only"
	return map[string]waiver{
		"http2/3.5/2": {"h2c", "the listener takes HTTP/1.1 too, so what does not begin with the preface is a malformed HTTP/1.1 request: 400 in that protocol, then the close; h2spec takes the close only where no HTTP/1.1 comes before it", plainRefusal},
		"http2/8.1.2.2/1": {"", answered, func(c *config.Config) error {
			return streamRefusal(c, hpacktext.HeaderField{Name: "connection", Value: "keep-alive"})
		}},
		"http2/8.1.2.2/2": {"", answered, func(c *config.Config) error {
			return streamRefusal(c, hpacktext.HeaderField{Name: "te", Value: "trailers, deflate"})
		}},
	}
}

// plainRefusal sends h2spec's invalid preface and wants a 400 of HTTP/1.1 and the close.
func plainRefusal(c *config.Config) error {
	conn, err := net.DialTimeout("tcp", c.Addr(), 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, "INVALID CONNECTION PREFACE\r\n\r\n")
	if b, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 400 ") {
		return fmt.Errorf("%q, %w", b, err)
	}
	return nil
}

// streamRefusal sends a request with one more field and wants a 400 that ends the stream.
func streamRefusal(c *config.Config, more hpacktext.HeaderField) error {
	conn, err := net.DialTimeout("tcp", c.Addr(), 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if c.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	var head bytes.Buffer
	text := hpacktext.NewEncoder(&head)
	for _, f := range append([]hpacktext.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: c.Scheme()}, {Name: ":authority", Value: c.Addr()}, {Name: ":path", Value: refusedPath}}, more) {
		_ = text.WriteField(f)
	}
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpacktext.NewDecoder(4096, nil)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	status := ""
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			return fmt.Errorf("after status %q: %w", status, err)
		}
		switch fr := fr.(type) {
		case *http2.MetaHeadersFrame:
			status = fr.PseudoValue("status")
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return fmt.Errorf("after status %q came %v", status, fr)
		}
		if fr.Header().StreamID == 1 && fr.Header().Flags.Has(http2.FlagDataEndStream) { // the flag of HEADERS too
			if status != "400" {
				return fmt.Errorf("status %q", status)
			}
			return nil
		}
	}
}

// refusedPath is asked for by requests that must not reach the origin.
const refusedPath = "/refused"

// specCase is one case of h2spec.
type specCase struct {
	*spec.TestCase
	id string
}

// specCases are all of them, the strict ones too.
func specCases() (all []specCase) {
	var walk func(g *spec.TestGroup)
	walk = func(g *spec.TestGroup) {
		for i, c := range slices.Concat(g.Tests, g.StrictTests) {
			all = append(all, specCase{c, g.ID() + "/" + strconv.Itoa(i+1)})
		}
		for _, sub := range g.Groups {
			walk(sub)
		}
	}
	for _, g := range []*spec.TestGroup{generic.Spec(), speccases.Spec(), hpack.Spec()} {
		walk(g)
	}
	return all
}

// try runs the case on a connection of its own.
func (s specCase) try(c *config.Config) error {
	conn, err := spec.Dial(c)
	if err != nil {
		return fmt.Errorf("dialling: %w", err)
	}
	defer func() { _ = conn.Close() }()
	return s.Run(c, conn)
}

// judge runs the case and tells whether it passes; one with a waiver must not.
func (s specCase) judge(t *testing.T, c *config.Config, listener string) bool {
	err := s.try(c)
	w, waived := waivers()[s.id]
	waived = waived && (w.only == "" || w.only == listener)
	switch {
	case err == nil && waived:
		t.Errorf("%s: it passes, so that this is no reason any more: %s", s.Desc, w.why)
	case errors.Is(err, spec.ErrSkipped):
		t.Errorf("%s: h2spec skips it", s.Desc)
	case err == nil:
		return true
	case !waived:
		t.Errorf("%s: %s\n%v", s.Desc, s.Requirement, err)
	default:
		t.Logf("%s: waived: %s", s.Desc, w.why)
		if err := w.instead(c); err != nil {
			t.Errorf("%s: instead: %v", s.Desc, err)
		}
	}
	return false
}

func TestHTTP2ListenersPassH2spec(t *testing.T) {
	ca, dir := certstest.NewCA(t, "ca"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := testenv.Must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_LISTEN_H2C": "true", "SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_CERTIFICATES_DEFAULT": "front",
		"SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`,
	}))(t)
	var refused atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == refusedPath {
			refused.Add(1)
		}
		_, _ = w.Write(make([]byte, 512))
	}))
	t.Cleanup(origin.Close)
	saved := testenv.Must(p.Client(0).Create(t.Context(), "apis", openAPI("Conformance", "/", map[string]any{"targets": []any{map[string]string{"url": origin.URL}}})))(t)
	p.Live(t, saved.Revision, 10*time.Second)
	for name, addr := range map[string]string{"tls": g.Listener("secure"), "h2c": g.Addr()} {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(addr)
			number, cases := testenv.Must(strconv.Atoi(port))(t), specCases()
			var passed atomic.Int64
			t.Run("case", func(t *testing.T) {
				for _, s := range cases {
					t.Run(s.id, func(t *testing.T) {
						t.Parallel()
						c := config.Config{Host: "127.0.0.1", Port: number, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true, TLS: name == "tls", Insecure: true}
						if s.judge(t, &c, name) {
							passed.Add(1)
						}
					})
				}
			})
			t.Logf("%d of %d cases pass", passed.Load(), len(cases))
			if len(cases) < 146 {
				t.Errorf("only %d cases were found", len(cases))
			}
		})
	}
	if n := refused.Load(); n > 0 {
		t.Errorf("%d refused requests reached the origin", n)
	}
}

// openAPI is a definition without authentication, whose path goes on to the upstream whole.
func openAPI(name, path string, upstream map[string]any) map[string]any {
	return map[string]any{
		"name": name, "listen": map[string]any{"path": path, "strip": false},
		"upstream": upstream, "filters": map[string]any{"auth": map[string]any{"open": true}},
	}
}
