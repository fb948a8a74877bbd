package conformance

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/gateway/certs/certstest"
)

// waivers are the cases that the gateway does not pass, and why. One that it passes again is an error.
func waivers() map[string]string {
	return map[string]string{}
}

// specCase is one case of h2spec.
type specCase struct {
	*spec.TestCase
	id string
}

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
	for _, g := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
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

func TestHTTP2ListenersPassH2spec(t *testing.T) {
	ca, dir := certstest.NewCA(t, "front"), t.TempDir()
	ca.Write(dir, "front", certstest.Options{}, "front.test")
	p := platform.For(t, platform.Options{Gateways: []string{}})
	g := must(p.AddGatewayWith(t.Context(), "default", map[string]string{
		"SLUICE_GATEWAY_LISTEN_H2C": "true", "SLUICE_GATEWAY_CERTIFICATES_DIR": dir, "SLUICE_GATEWAY_CERTIFICATES_DEFAULT": "front",
		"SLUICE_GATEWAY_LISTENERS": `[{name: secure, address: "127.0.0.1:0", tls: true}]`,
	}))(t)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 512)) }))
	t.Cleanup(origin.Close)
	saved := must(p.Client(0).Create(t.Context(), "apis", map[string]any{
		"name": "Conformance", "listen": map[string]any{"path": "/"},
		"upstream": map[string]any{"targets": []any{map[string]string{"url": origin.URL}}}, "filters": map[string]any{"auth": map[string]any{"open": true}},
	}))(t)
	p.Live(t, saved.Revision, 10*time.Second)
	for name, addr := range map[string]string{"tls": g.Listener("secure"), "h2c": g.Addr()} {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(addr)
			c := config.Config{Host: "127.0.0.1", Port: must(strconv.Atoi(port))(t), Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true, TLS: name == "tls", Insecure: true}
			var mu sync.Mutex
			passed := 0
			t.Run("cases", func(t *testing.T) {
				for _, s := range specCases() {
					t.Run(s.id, func(t *testing.T) {
						t.Parallel()
						mine := c
						err := s.try(&mine)
						why, waived := waivers()[s.id]
						switch {
						case errors.Is(err, spec.ErrSkipped):
							t.Errorf("%s: h2spec skips it", s.Desc)
						case err != nil && !waived:
							t.Errorf("%s: %s\n%v", s.Desc, s.Requirement, err)
						case err == nil && waived:
							t.Errorf("%s: it passes, so this is no reason any more: %s", s.Desc, why)
						case err == nil:
							mu.Lock()
							passed++
							mu.Unlock()
						}
					})
				}
			})
			t.Logf("%d cases, %d pass, %d are waived", len(specCases()), passed, len(waivers()))
		})
	}
}
