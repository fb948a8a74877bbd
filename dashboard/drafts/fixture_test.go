package drafts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// store is what both adapters have.
type store interface {
	Log() publish.Log
	Contents() publish.Contents
	Views() publish.Views
	Marks() publish.Marks
	Drafts() drafts.Shelf
	Close(context.Context) error
}

// site is one installation with a clock of its own.
type site struct {
	t      *testing.T
	open   func(context.Context) (store, error)
	redis  *testenv.Server
	keys   *trust.Keys
	needed bool // approval

	mu  sync.Mutex
	now time.Time
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func newSite(t *testing.T) *site {
	path := filepath.Join(t.TempDir(), "config.db")
	return siteOn(t, func(ctx context.Context) (store, error) { return sqlite.Open(ctx, path) })
}

func siteOn(t *testing.T, open func(context.Context) (store, error)) *site {
	t.Helper()
	k, err := trust.Generate()
	must(t, err)
	return &site{t: t, open: open, redis: testenv.RedisServer(t), keys: k, now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
}

// eachStore runs f on SQLite, and on MongoDB where there is one.
func eachStore(t *testing.T, f func(t *testing.T, s *site)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newSite(t)) })
	t.Run("mongodb", func(t *testing.T) {
		c := mongodb.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: testenv.MongoDB(t).Name()}
		f(t, siteOn(t, func(ctx context.Context) (store, error) { return mongo.Open(ctx, c) }))
	})
}

// dashboard is one process of a site. What it stores and writes can be made to
// fail.
type dashboard struct {
	*drafts.Service
	apis   *apis.Service
	engine *publish.Engine
	shelf  *shelf
	calls  *calls
}

// shelf fails where it is told to.
type shelf struct {
	drafts.Shelf
	replace func(d drafts.Draft) error // before the call; nil is none
}

func (s *shelf) Replace(ctx context.Context, d drafts.Draft, version int64) error {
	if s.replace != nil {
		if err := s.replace(d); err != nil {
			return err
		}
	}
	return s.Shelf.Replace(ctx, d, version)
}

// calls lets tests in before and after a write of an object that is no dry run.
type calls struct {
	*apis.Service
	before, after func() error
}

func (c *calls) Create(ctx context.Context, w objects.Write, text []byte) (objects.Result, error) {
	return c.do(w, func() (objects.Result, error) { return c.Service.Create(ctx, w, text) })
}

func (c *calls) Replace(ctx context.Context, w objects.Write, id string, text []byte) (objects.Result, error) {
	return c.do(w, func() (objects.Result, error) { return c.Service.Replace(ctx, w, id, text) })
}

func (c *calls) do(w objects.Write, f func() (objects.Result, error)) (objects.Result, error) {
	if c.before != nil && !w.DryRun {
		if err := c.before(); err != nil {
			return objects.Result{}, err
		}
	}
	r, err := f()
	if err == nil && c.after != nil && !w.DryRun {
		err = c.after()
	}
	return r, err
}

func (s *site) dashboard() *dashboard {
	s.t.Helper()
	st, err := s.open(s.t.Context())
	must(s.t, err)
	s.t.Cleanup(func() { _ = st.Close(context.WithoutCancel(s.t.Context())) })
	e := publish.New(publish.Options{
		Log: st.Log(), Contents: st.Contents(), Views: st.Views(), Marks: st.Marks(), Roots: wire.NewWriter(s.redis.Client(), s.keys), Now: s.clock,
	})
	must(s.t, e.Start(s.t.Context()))
	a, err := apis.New(e, st.Views(), nil)
	must(s.t, err)
	d := &dashboard{apis: a, engine: e, shelf: &shelf{Shelf: st.Drafts()}, calls: &calls{Service: a}}
	d.Service = drafts.New(drafts.Options{
		Shelf: d.shelf, Engine: e, Kinds: map[string]drafts.Objects{publish.KindAPI: d.calls}, Now: s.clock,
		ApprovalNeeded: func(context.Context, string) (bool, error) { return s.needed, nil },
	})
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Fatalf("error %v, want %s", err, code)
	}
}

// errKilled stands for the end of the process.
var errKilled = errors.New("killed")

var (
	kim    = by("kim", false)
	lee    = by("lee", true)
	ann    = by("ann", false)
	latest = drafts.Condition{IfMatch: "*"}
)

func by(name string, reviewer bool) drafts.By {
	return drafts.By{Org: "default", User: "u_" + name, Author: publish.Author{Kind: "user", ID: "u_" + name, Name: name}, Reviewer: reviewer}
}

// api is a definition with a few members that tests change.
func api(name, path, url, tag string) []byte {
	return []byte(`{"name":"` + name + `",  "tags":["` + tag + `"],"listen":{"path":"` + path + `"},"upstream":{"targets":[{"url":"` + url + `"}]},"filters":{"auth":{"open":true}}}`)
}

const url = "http://127.0.0.1:1"

// made stores an API and returns its id and revision.
func (d *dashboard) made(t *testing.T, name string) (string, int64) {
	t.Helper()
	r, err := d.apis.Create(t.Context(), objects.Write{Org: "default"}, api(name, "/"+name+"/", url, "a"))
	must(t, err)
	return r.Object.ID, r.Revision
}

// set changes an API as somebody else does.
func (d *dashboard) set(t *testing.T, id, patch string) int64 {
	t.Helper()
	r, err := d.apis.Patch(t.Context(), objects.Write{Org: "default", IfMatch: "*"}, id, []byte(patch))
	must(t, err)
	return r.Revision
}

// begin makes kim's draft of an API; without an id it creates one.
func (d *dashboard) begin(t *testing.T, id string, text []byte) drafts.Draft {
	t.Helper()
	n, _, err := d.Create(t.Context(), kim, drafts.NewDraft{Kind: publish.KindAPI, ObjectID: id, Object: text, Note: "why"}, false)
	must(t, err)
	return n
}

func (d *dashboard) text(t *testing.T, id string) string {
	t.Helper()
	o, err := d.apis.Get(t.Context(), "default", id)
	must(t, err)
	return string(o.Text)
}

// revisions counts what was appended.
func (d *dashboard) revisions(t *testing.T) int64 {
	t.Helper()
	n, _, err := d.engine.Recorded(t.Context(), "default")
	must(t, err)
	return n
}

// is reads a draft and checks its state.
func (d *dashboard) is(t *testing.T, id string, state drafts.State) drafts.Draft {
	t.Helper()
	got, err := d.Get(t.Context(), "default", id)
	must(t, err)
	if got.State != state {
		t.Fatalf("the draft is %s, want %s: %+v", got.State, state, got)
	}
	return got
}
