package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/dashboard/commands"
	"github.com/sluice-gateway/sluice/dashboard/fleet"
	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/httpapi/changes"
	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/live"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/people"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/bus"
	wirefleet "github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/httpd"
	"github.com/sluice-gateway/sluice/pkg/keyring"
	"github.com/sluice-gateway/sluice/pkg/logs"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const adminPassword = "a password for tests"

// dashboard is the API behind a real HTTP server, on SQLite and a Redis of its own.
type dashboard struct {
	t       *testing.T
	url     string
	people  *people.Service
	engine  *publish.Engine
	hub     *live.Hub
	beats   *wirefleet.Writer
	bus     *bus.Bus
	node    func(id string) *bus.Bus // a gateway's end of the bus
	tokens  map[people.Role]string
	log     *safeBuffer
	changed []people.User // whose password changed
}

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start makes a dashboard whose first admin has the password given; "" is a
// one-time one, which is returned. It reads requests from k; none is a folder that
// is not there.
func start(t *testing.T, password string, k ...keeper) (*dashboard, string) {
	t.Helper()
	trusted, err := trust.Generate()
	must(t, err)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	must(t, err)
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	rdb := testenv.Redis(t)
	d := &dashboard{t: t, log: &safeBuffer{}, hub: live.NewHub("test"), tokens: map[people.Role]string{}, beats: wirefleet.NewWriter(rdb, trusted)}
	log := logs.New(d.log, logs.Config{Level: "debug", Format: "json"})

	beats := wirefleet.NewReader(rdb, trusted)
	b := bus.New(rdb, trusted, bus.Options{Name: "dashboard", Log: log})
	d.bus = b
	d.node = func(id string) *bus.Bus { return bus.New(rdb, trusted, bus.Options{Node: id, Name: id, Log: log}) }
	var watcher *live.Watcher
	d.engine = publish.New(publish.Options{
		Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(),
		Roots: wire.NewWriter(rdb, trusted), Nodes: beats, Logger: log, Changed: func(e publish.Event) { watcher.Changed(e) },
	})
	nodes := fleet.New(beats, d.engine, time.Now)
	watcher = live.NewWatcher(d.hub, live.Sources{Status: d.engine.Status, Nodes: nodes.List, Condition: d.engine.Condition}, log, time.Now)
	must(t, d.engine.Start(t.Context()))
	ask := commands.New(b, beats)
	definitions, err := apis.New(d.engine, store.Views(), ask)
	must(t, err)
	bundles := policies.New(d.engine, store.Views(), keys.Uses{Store: store.Keys()})
	d.people = people.New(people.Options{Users: store.Users(), Sessions: store.Sessions(), Tokens: store.Tokens(), Attempts: store.Attempts(), Hasher: trusted, Logger: log})
	if len(k) == 0 {
		k = []keeper{inSQLite(t, filepath.Join(t.TempDir(), "none"), true)}
	}
	set := objects.NewSet(d.engine, definitions.Collection, bundles.Collection)
	h, err := New(Options{
		Calls:   calls.New(lookingIn(k[0], calls.Published{Engine: d.engine})),
		Changes: changes.Service{Set: set, History: history.New(history.Options{Engine: d.engine, Log: store.Log(), Contents: store.Contents(), Set: set})},
		People:  d.people, APIs: definitions, Policies: bundles, Engine: d.engine, Fleet: nodes, Commands: ask, Hub: d.hub, StoreDriver: "sqlite",
		Keys:            keys.New(keys.Options{Store: store.Keys(), Marks: store.Marks(), Ring: keyring.NewWriter(rdb, trusted), Catalog: bundles, Hasher: trusted, Logger: log}),
		PasswordChanged: func(u people.User) { d.changed = append(d.changed, u) }, Log: log,
	})
	must(t, err)
	server := httptest.NewServer(h)
	d.url = server.URL
	ctx, cancel := context.WithCancel(t.Context())
	watching := make(chan struct{})
	go func() { defer close(watching); _ = watcher.Run(ctx) }()
	t.Cleanup(func() { d.hub.Close(); server.Close(); cancel(); <-watching })

	oneTime, created, err := d.people.Bootstrap(t.Context(), "default", "admin", password)
	if err != nil || !created {
		t.Fatalf("bootstrap: %v %v", created, err)
	}
	users, err := d.people.Users(t.Context(), people.Actor{User: people.User{Org: "default"}})
	must(t, err)
	for _, role := range []people.Role{people.Viewer, people.Operator, people.Admin} {
		_, d.tokens[role], err = d.people.CreateToken(t.Context(), people.Actor{User: users[0], Role: people.Admin}, people.NewToken{Name: string(role), Role: role})
		must(t, err)
	}
	return d, oneTime
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// into decodes the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// problem is the problem document, checked for its shape.
func (a answer) problem(t *testing.T) httpd.Problem {
	t.Helper()
	var p httpd.Problem
	a.into(t, &p)
	if p.Status != a.status || p.Type != "about:blank" || p.Title == "" || p.Code == "" || p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") ||
		a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d %v: %s", a.status, a.header, a.body)
	}
	return p
}

// want checks status and, for problems, code.
func (a answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if code != "" {
		if p := a.problem(t); string(p.Code) != code {
			t.Fatalf("code %s, want %s: %s", p.Code, code, a.body)
		}
	}
	return a
}

// as makes a client with the token of a role; "" has none.
func (d *dashboard) as(role people.Role) client { return client{d: d, token: d.tokens[role]} }

// client calls the API.
type client struct {
	d                   *dashboard
	token, cookie, csrf string
}

// do sends a request; headers are pairs.
func (c client) do(method, path, body string, headers ...string) answer {
	c.d.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(c.d.t.Context(), method, c.d.url+Base+path, reader)
	must(c.d.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: c.cookie})
	}
	if c.csrf != "" {
		r.Header.Set(csrfHeader, c.csrf)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(c.d.t, err)
	defer func() { _ = resp.Body.Close() }()
	if strings.HasPrefix(path, "/events") && resp.StatusCode == http.StatusOK {
		return answer{resp.StatusCode, resp.Header, ""}
	}
	text, err := io.ReadAll(resp.Body)
	must(c.d.t, err)
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// signIn returns a client in a session.
func (d *dashboard) signIn(login, password string) client {
	d.t.Helper()
	c := client{d: d}
	credentials, err := json.Marshal(map[string]string{"login": login, "password": password})
	must(d.t, err)
	a := c.do("POST", "/session", string(credentials)).want(d.t, 200, "")
	var s sessionDTO
	a.into(d.t, &s)
	c.csrf = s.CSRF
	for _, k := range (&http.Response{Header: a.header}).Cookies() {
		if k.Name == cookieName {
			c.cookie = k.Value
		}
	}
	if c.cookie == "" || c.csrf == "" {
		d.t.Fatalf("no cookie or no csrf: %v %s", a.header, a.body)
	}
	return c
}

// definition is an open API on a path.
func definition(name, path string) string {
	return `{"name":"` + name + `",  "listen":{"path":"` + path + `"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`
}

// in lets the subtest t have the failures until it ends.
func (d *dashboard) in(t *testing.T) {
	outer := d.t
	d.t = t
	t.Cleanup(func() { d.t = outer })
}

// runBuses lets the dashboard's bus and a gateway's run until the test ends.
func (d *dashboard) runBuses(node *bus.Bus) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var all sync.WaitGroup
	for _, b := range []*bus.Bus{d.bus, node} {
		all.Go(func() { _ = b.Run(ctx) })
	}
	d.t.Cleanup(func() { cancel(); all.Wait() })
}
