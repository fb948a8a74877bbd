package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

// anything are certificates of every name.
type anything struct{}

func (anything) CA(_, _ string) (*x509.CertPool, error)     { return x509.NewCertPool(), nil }
func (anything) Pair(_, _ string) (*tls.Certificate, error) { return new(tls.Certificate), nil }

func acquireAs(t *testing.T, m *Manager, org, api string, u apidef.Upstream) *pool {
	t.Helper()
	f, err := m.Acquire(org, api, u)
	if err != nil {
		t.Fatal(err)
	}
	return f.(*pool)
}

func TestAPIsInFrontOfOneTargetShareItsConnections(t *testing.T) {
	o := http1test.NewOrigin(t, http1test.Echo)
	m := manager(t)
	var lent []*pool
	for i := range 100 {
		u := to(o.Addr())
		u.Path = fmt.Sprintf("/v%d", i)
		u.Timeouts.Total = apidef.Duration(i) * apidef.Duration(time.Minute)
		f := acquireAs(t, m, "default", fmt.Sprint(i), u)
		if got, err := forward(f, get("/x")); err != nil || got != "GET "+u.Path+"/x" {
			t.Fatalf("%q, %v", got, err)
		}
		lent = append(lent, f)
	}
	if o.Accepted() != 1 {
		t.Errorf("%d connections for 100 APIs, which call one after the other", o.Accepted())
	}
	// whoever goes first, the last one closes
	for i, f := range lent[1:] {
		m.Release(f)
		if i%30 == 0 {
			if _, err := forward(lent[0], get("/")); err != nil || o.Accepted() != 1 {
				t.Errorf("%v; %d connections after %d releases", err, o.Accepted(), i+1)
			}
		}
	}
	if o.Open() != 1 {
		t.Errorf("%d connections are open while an API uses them", o.Open())
	}
	m.Release(lent[0])
	testenv.Eventually(t, 5*time.Second, func() bool { return o.Open() == 0 })
	nothingLeft(t, m)
}

func TestWhatConnectionsDependOnKeepsThemApart(t *testing.T) {
	plain := func() apidef.Upstream { return to("a.example:80") }
	pins := []string{"sha256/" + strings.Repeat("A", 43) + "=", "sha256/" + strings.Repeat("B", 42) + "A="}
	https := func() apidef.Upstream {
		u := plain()
		u.Targets[0].URL = "https://a.example"
		u.TLS.Pins = slices.Clone(pins)
		return u
	}
	for name, tc := range map[string]struct {
		of     func() apidef.Upstream
		change func(*apidef.Upstream)
		shared bool
	}{
		"nothing":              {plain, func(*apidef.Upstream) {}, true},
		"the case of the host": {plain, func(u *apidef.Upstream) { u.Targets[0].URL = "http://A.example" }, true},
		"the target's path":    {plain, func(u *apidef.Upstream) { u.Targets[0].URL += "/base" }, true},
		"weight":               {plain, func(u *apidef.Upstream) { u.Targets[0].Weight = new(int) }, true},
		"path":                 {plain, func(u *apidef.Upstream) { u.Path = "/v1" }, true},
		"preserveHost":         {plain, func(u *apidef.Upstream) { u.PreserveHost = true }, true},
		"total":                {plain, func(u *apidef.Upstream) { u.Timeouts.Total = 1e9 }, true},
		"written defaults": {plain, func(u *apidef.Upstream) {
			u.HTTP, u.Timeouts, u.Connections = apidef.HTTP11, u.Timeouts.WithDefaults(), u.Connections.WithDefaults()
		}, true},
		"TLS options without TLS": {plain, func(u *apidef.Upstream) { u.TLS.ServerName = "b" }, true},
		"order of pins":           {https, func(u *apidef.Upstream) { slices.Reverse(u.TLS.Pins) }, true},
		"the server name":         {https, func(u *apidef.Upstream) { u.TLS.ServerName = "a.example" }, true},

		"host":                 {plain, func(u *apidef.Upstream) { u.Targets[0].URL = "http://b.example" }, false},
		"port":                 {plain, func(u *apidef.Upstream) { u.Targets[0].URL = "http://a.example:81" }, false},
		"scheme":               {plain, func(u *apidef.Upstream) { u.Targets[0].URL = "https://a.example:80" }, false},
		"version":              {plain, func(u *apidef.Upstream) { u.HTTP = apidef.H2C }, false},
		"version over TLS":     {https, func(u *apidef.Upstream) { u.HTTP = apidef.HTTP11 }, false},
		"connect":              {plain, func(u *apidef.Upstream) { u.Timeouts.Connect = 1e9 }, false},
		"firstByte":            {plain, func(u *apidef.Upstream) { u.Timeouts.FirstByte = 1e9 }, false},
		"idle":                 {plain, func(u *apidef.Upstream) { u.Timeouts.Idle = 1e9 }, false},
		"connections.max":      {plain, func(u *apidef.Upstream) { u.Connections.Max = 7 }, false},
		"connections.idle":     {plain, func(u *apidef.Upstream) { u.Connections.Idle = 7 }, false},
		"connections.queue":    {plain, func(u *apidef.Upstream) { u.Connections.Queue = 7 }, false},
		"another server name":  {https, func(u *apidef.Upstream) { u.TLS.ServerName = "b.example" }, false},
		"insecureSkipVerify":   {https, func(u *apidef.Upstream) { u.TLS.InsecureSkipVerify = true }, false},
		"fewer pins":           {https, func(u *apidef.Upstream) { u.TLS.Pins = pins[:1] }, false},
		"no pins":              {https, func(u *apidef.Upstream) { u.TLS.Pins = nil }, false},
		"authorities":          {https, func(u *apidef.Upstream) { u.TLS.CA = "ca" }, false},
		"a client certificate": {https, func(u *apidef.Upstream) { u.TLS.ClientCertificate = "me" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := lending(t, anything{})
			u := tc.of()
			tc.change(&u)
			one, two := acquireAs(t, m, "o", "a", tc.of()), acquireAs(t, m, "o", "b", u)
			if got := one.targets[0].conns == two.targets[0].conns; got != tc.shared {
				t.Errorf("shared: %t", got)
			}
			other := acquireAs(t, m, "p", "a", tc.of())
			if other.targets[0].conns == one.targets[0].conns {
				t.Error("another organisation shares the connections")
			}
			for _, f := range []filter.Forwarder{one, two, other} {
				m.Release(f)
			}
			nothingLeft(t, m)
		})
	}
}

// The bound counts the connections to a target, whoever calls it.
func TestTheMostConnectionsAreOfATarget(t *testing.T) {
	gate := make(chan struct{})
	o := http1test.NewOrigin(t, func(q *http1test.Request) string { <-gate; return http1test.Echo(q) })
	m := manager(t)
	u := to(o.Addr())
	u.Connections = apidef.Connections{Max: 2, Queue: 1}
	apart := u
	apart.Connections.Max = 3
	var busy sync.WaitGroup
	for i := range 2 {
		f := acquireAs(t, m, "o", fmt.Sprint(i), u)
		busy.Go(func() {
			if _, err := forward(f, get("/")); err != nil {
				t.Error(err)
			}
		})
		testenv.Eventually(t, 5*time.Second, func() bool { return len(o.Requests()) == i+1 })
	}
	waiting := make(chan error, 2)
	third := acquireAs(t, m, "o", "third", u)
	for range 2 {
		go func() {
			_, err := forward(third, get("/"))
			waiting <- err
		}()
	}
	wantRefusal(t, <-waiting, 503, "upstream.busy") // the one beyond the queue
	own := acquireAs(t, m, "o", "apart", apart)
	busy.Go(func() {
		if _, err := forward(own, get("/")); err != nil {
			t.Errorf("an API with a bound of its own: %v", err)
		}
	})
	testenv.Eventually(t, 5*time.Second, func() bool { return len(o.Requests()) == 3 })
	close(gate)
	busy.Wait()
	if err := <-waiting; err != nil {
		t.Errorf("in the queue: %v", err)
	}
	if o.Accepted() != 3 {
		t.Errorf("%d connections", o.Accepted())
	}
}

// Where one target cannot be made, what the others joined is given back.
func TestAnAcquireThatFailsLeavesNothing(t *testing.T) {
	m := manager(t)
	u := to("127.0.0.1:1", "127.0.0.1:2")
	u.Targets = append(u.Targets, apidef.Target{URL: "https://127.0.0.1:3"})
	u.HTTP = apidef.H2C
	if _, err := m.Acquire("o", "a", u); err == nil {
		t.Fatal("h2c to an https target was taken")
	}
	nothingLeft(t, m)
	u.Targets = u.Targets[:2]
	u.Targets[1] = u.Targets[0] // twice the same target in one pool
	m.Release(acquireAs(t, m, "o", "a", u))
	nothingLeft(t, m)
}
