package hostile

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/deploy/e2e/platform"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/testenv/certstest"
)

// gate is a running gateway.
type gate = *platform.Service

// kind is one kind of listener. To try every case over another one, add it to kinds.
type kind struct {
	name, scheme string
	env          map[string]string // further settings of its gateway
	// lenient: another parser reads requests, which may take what ours refuses. What reaches the origin
	// is then held against what that parser may take the bytes for.
	lenient bool
	connect func(addr string) (net.Conn, error)
}

// kinds are all of them.
func (w *world) kinds() []kind {
	secure := map[string]string{"SLUICE_GATEWAY_LISTEN_TLS": "true"}
	stdlib := map[string]string{"SLUICE_GATEWAY_LISTEN_ENGINE": "stdlib"}
	shake := func(addr string) (net.Conn, error) {
		return tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, w.ca.Client("front.test", "http/1.1"))
	}
	return []kind{
		{name: "h1", scheme: "http", connect: plain},
		{name: "h1 beside h2c", scheme: "http", connect: plain, env: map[string]string{"SLUICE_GATEWAY_LISTEN_H2C": "true"}},
		{name: "h1 TLS", scheme: "https", connect: shake, env: secure},
		{name: "stdlib", scheme: "http", connect: plain, env: stdlib, lenient: true},
		{name: "stdlib TLS", scheme: "https", connect: shake, env: both(secure, stdlib), lenient: true},
	}
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func plain(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, 5*time.Second) }

// dial connects. A gateway gives a handshake two seconds here, which a busy machine may not have.
func (k kind) dial(g gate) (c net.Conn, err error) {
	for range 3 {
		if c, err = k.connect(g.Addr()); err == nil {
			break
		}
	}
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// world is what all cases share: one platform, and a gateway for each kind of listener.
type world struct {
	p     *platform.Platform
	ca    *certstest.CA
	certs string // the folder of certificates
	gates map[string]gate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	env := map[string]string{
		"SLUICE_GATEWAY_LISTEN_HEADER_TIMEOUT": "2s", "SLUICE_GATEWAY_LISTEN_WRITE_TIMEOUT": "2s", "SLUICE_GATEWAY_LISTEN_BODY_RATE": "64KiB",
		"SLUICE_GATEWAY_RECORDS_DISK_BUDGET": "64MiB",
	}
	w := &world{ca: certstest.NewCA(t, "ca"), certs: t.TempDir(), gates: map[string]gate{}}
	w.ca.Write(w.certs, "front", certstest.Options{}, "front.test")
	certstest.Put(t, filepath.Join(w.certs, upstreams+".crt"), w.ca.PEM)
	env["SLUICE_GATEWAY_CERTIFICATES_DIR"] = w.certs
	w.p = platform.For(t, platform.Options{Env: env, Gateways: []string{}})
	for _, k := range w.kinds() {
		w.gates[k.name] = testenv.Must(w.p.AddGatewayWith(t.Context(), "default", k.env))(t)
	}
	return w
}

// publish creates APIs and waits until every gateway has them.
func (w *world) publish(t *testing.T, apis ...map[string]any) {
	t.Helper()
	var newest int64
	for _, a := range apis {
		saved := testenv.Must(w.p.Client(0).Create(t.Context(), "apis", a))(t)
		newest = max(newest, saved.Revision)
	}
	w.p.Live(t, newest, 10*time.Second)
}

// api is a definition whose path goes on to the upstream whole.
func api(name, domain, path, upstream string, auth any) map[string]any {
	return map[string]any{
		"name": name, "listen": map[string]any{"domains": []string{domain}, "path": path, "strip": false},
		"upstream": map[string]any{"targets": []any{map[string]string{"url": upstream}}}, "filters": map[string]any{"auth": auth},
	}
}

func with(def map[string]any, section, member string, value any) map[string]any {
	inner, _ := def[section].(map[string]any)
	if inner == nil {
		inner = map[string]any{}
		def[section] = inner
	}
	inner[member] = value
	return def
}

// What stands open to everybody, and what wants a key in the header X-Api-Key or in the query.
func open() any { return map[string]any{"open": true} }

func keyed() any {
	return map[string]any{"any": []any{map[string]any{"key": map[string]any{"in": []any{
		map[string]string{"header": "X-Api-Key"}, map[string]string{"header": "Authorization", "scheme": "Bearer"}, map[string]string{"query": "api_key"},
	}}}}}
}

const (
	hostileHost = "hostile.test" // in the texts of cases; a lane has its own in its place
	hostLine    = "Host: " + hostileHost + "\r\n"
)

// lane is one way for a case to come: a kind of listener, a chain, a place in the connection. It has a
// host and an origin of its own, so that lanes run beside each other.
type lane struct {
	kind
	gw     gate
	bodies bool // the chain reads bodies
	kept   bool // a good request comes before
	label  string
	origin *platform.Origin
	probes int
}

func (w *world) lanes(t *testing.T) (all []*lane) {
	t.Helper()
	var apis []map[string]any
	for _, k := range w.kinds() {
		for i := range 4 {
			if k.name != "h1" && (i == 1 || i == 2) {
				continue // the own engine goes all four ways; others bodies and place together
			}
			l := &lane{kind: k, gw: w.gates[k.name], bodies: i&1 > 0, kept: i&2 > 0, label: fmt.Sprintf("lane%03d", len(all)), origin: testenv.Must(platform.NewOrigin())(t)}
			t.Cleanup(l.origin.Close)
			all = append(all, l)
			apis = append(apis, l.apis()...)
		}
	}
	w.publish(t, apis...)
	return all
}

func (l *lane) name() string {
	s := l.kind.name
	if l.bodies {
		s += " bodies read"
	}
	if l.kept {
		s += " kept alive"
	}
	return s
}

// here puts the lane's host in the place of the one in the texts of cases, which is as long.
func (l *lane) here(s string) string {
	return strings.NewReplacer("hostile", l.label, "HOSTILE", strings.ToUpper(l.label)).Replace(s)
}

// apis are what the cases call. Identity, headers and protected places belong to all of them.
func (l *lane) apis() []map[string]any {
	host := l.here(hostileHost)
	top := api(l.label+" top", host, "/", l.origin.URL, open())
	top["endpoints"] = []any{
		map[string]any{"id": "admin", "path": "/admin/**", "filters": map[string]any{"auth": keyed()}},
		map[string]any{"id": "post", "path": "/post", "filters": map[string]any{"auth": keyed()}},
		map[string]any{"id": "number", "path": "/number/{n:[0-9]+}", "filters": map[string]any{"auth": keyed()}},
		map[string]any{"id": "slow", "path": "/slow/{n:(a+)+(a+)+x}", "filters": map[string]any{"auth": keyed()}},
		map[string]any{"id": "values", "path": "/values/{v}", "filters": map[string]any{"requestHeaders": map[string]any{"set": map[string]string{"X-Env": "prod", "X-V": "{route.param.v}", "X-Q": "{request.query.q}"}}}},
	}
	with(top, "filters", "identity", map[string]any{"headers": map[string]string{"X-User-Id": "{subject}"}})
	with(top, "filters", "requestHeaders", map[string]any{"set": map[string]string{"X-Env": "prod"}})
	app := api(l.label+" app", host, "/app", l.origin.URL, keyed())
	strip := with(api(l.label+" strip", host, "/strip/", l.origin.URL, open()), "listen", "strip", true)
	base := with(with(api(l.label+" base", host, "/based/", l.origin.URL, open()), "listen", "strip", true), "upstream", "path", "/base")
	slash := with(api(l.label+" slash", host, "/slash/", l.origin.URL, open()), "listen", "trailingSlash", "redirect")
	slash["endpoints"] = []any{map[string]any{"id": "one", "path": "/one"}, map[string]any{"id": "two", "path": "/two/"}, map[string]any{"id": "any", "path": "/any/{a}/{b}"}}
	wild := with(api(l.label+" wild", "*."+l.label+".test", "/", l.origin.URL, open()), "upstream", "path", "/wild")
	exact := with(api(l.label+" exact", "one."+l.label+".test", "/", l.origin.URL, open()), "upstream", "path", "/exact")
	closer := with(api(l.label+" closer", "*.deep."+l.label+".test", "/", l.origin.URL, open()), "upstream", "path", "/closer")
	all := []map[string]any{top, app, strip, base, slash, wild, exact, closer}
	for _, a := range all {
		if l.bodies {
			with(a, "filters", "record", map[string]any{"bodies": map[string]any{"until": "2126-01-01T00:00:00Z", "max": "16KiB", "mask": []string{"$..password"}}})
		}
	}
	return all
}

// probe is a request that must get its own answer; more are field lines.
func (l *lane) probe(more string) (request, want string) {
	l.probes++
	target := fmt.Sprintf("/probe-%d", l.probes)
	return "GET " + target + " HTTP/1.1\r\nHost: " + l.here(hostileHost) + "\r\n" + more + "\r\n", "GET " + target
}

// talk sends a case on a connection of its own. first: a good request before it, whose answer is
// awaited; last stands behind it.
func (l *lane) talk(t *testing.T, c attackCase, first, wantFirst, last string) []said {
	t.Helper()
	conn := testenv.Must(l.dial(l.gw))(t)
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	if first != "" {
		_, _ = io.WriteString(conn, first)
		if s, err := readAnswer(in, "GET"); err != nil || string(s.body) != wantFirst {
			t.Fatalf("the request before got %q, %v", s.body, err)
		}
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, l.here(c.send)+last)
		if c.ends {
			closeWrite(conn)
		}
	}()
	all := readAnswers(in, strings.HasPrefix(c.send, "HEAD "))
	_ = conn.Close()
	<-sent
	return all
}

// sweep calls the origin over as many connections at once as it has open, and one more: none of them
// may hold anything of somebody else.
func (l *lane) sweep(t *testing.T) {
	t.Helper()
	n := l.origin.Open() + 1
	l.origin.Hold(n)
	errs := make(chan error, n)
	for range n {
		request, want := l.probe("Connection: close\r\n")
		go func() {
			s, err := l.exchange(l.gw, "GET", request)
			if err == nil && string(s.body) != want {
				err = fmt.Errorf("a probe got %q, not %q", s.body, want)
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Errorf("over %d pooled connections: %v", n-1, err)
		}
	}
	if c := l.origin.Take(); len(c.Arrived) != n || len(c.Faults)+len(c.Broken) > 0 {
		t.Errorf("over %d pooled connections arrived %d requests, %q, %q", n-1, len(c.Arrived), c.Faults, c.Broken)
	}
}
