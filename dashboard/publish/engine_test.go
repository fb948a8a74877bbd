package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/bus"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fleet"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// site is one installation: a store, a Redis, and keys.
type site struct {
	t     testing.TB
	open  func(context.Context) (store, error) // a handle of its own, as another process has it
	redis *testenv.Server
	keys  *trust.Keys
}

// store is what both adapters have.
type store interface {
	Log() publish.Log
	Contents() publish.Contents
	Views() publish.Views
	Marks() publish.Marks
	Close(context.Context) error
}

// newSite is a site on SQLite.
func newSite(t testing.TB) *site {
	t.Helper()
	return siteOn(t, sqliteAt(filepath.Join(t.TempDir(), "config.db")))
}

func siteOn(t testing.TB, open func(context.Context) (store, error)) *site {
	t.Helper()
	k, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, open: open, redis: testenv.RedisServer(t), keys: k}
}

func sqliteAt(path string) func(context.Context) (store, error) {
	return func(ctx context.Context) (store, error) { return sqlite.Open(ctx, path) }
}

// onEachStore runs f on SQLite and, where a server is there, on MongoDB.
func onEachStore(t *testing.T, f func(t *testing.T, newSite func(testing.TB) *site)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newSite) })
	t.Run("mongodb", func(t *testing.T) {
		testenv.MongoDB(t) // is there a server?
		f(t, func(t testing.TB) *site {
			c := mongodb.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: testenv.MongoDB(t).Name()}
			return siteOn(t, func(ctx context.Context) (store, error) { return mongo.Open(ctx, c) })
		})
	})
}

// engine makes an engine with a handle of its own on the store, as another
// process would have it, and starts it.
func (s *site) engine(change ...func(*publish.Options)) *publish.Engine {
	s.t.Helper()
	o := s.options()
	for _, f := range change {
		f(&o)
	}
	e := publish.New(o)
	if err := e.Start(s.t.Context()); err != nil {
		s.t.Fatalf("start: %v", err)
	}
	return e
}

func (s *site) options() publish.Options {
	s.t.Helper()
	store, err := s.open(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = store.Close(context.WithoutCancel(s.t.Context())) })
	rdb := s.redis.Client()
	return publish.Options{
		Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(),
		Roots: wire.NewWriter(rdb, s.keys), Nodes: fleet.NewReader(rdb, s.keys), Logger: slog.New(slog.DiscardHandler),
	}
}

// published reads what gateways of a group get, verified as they do: the
// generation, and the texts by "kind/id".
func (s *site) published(group string) (wire.Head, map[string]string, error) {
	r := wire.NewReader(s.redis.Client(), s.keys, group)
	root, _, err := r.Root(s.t.Context())
	if err != nil {
		return wire.Head{}, nil, err
	}
	items, texts, _, err := r.Fetch(s.t.Context(), root, func(string) ([]byte, bool) { return nil, false })
	if err != nil {
		return wire.Head{}, nil, err
	}
	got := map[string]string{}
	for _, i := range items {
		got[i.Kind+"/"+i.ID] = string(texts[i.SHA])
	}
	return root.Head(), got, nil
}

// holds tells whether Redis has exactly the given texts for the group, at the
// engine's newest revision.
func (s *site) holds(e *publish.Engine, group string, want map[string]string) error {
	head, got, err := s.published(group)
	if err != nil {
		return err
	}
	c := e.Condition()
	if head.Generation != c.Revision {
		return fmt.Errorf("group %s has generation %d, not %d", group, head.Generation, c.Revision)
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("group %s has %v, not %v", group, got, want)
	}
	return nil
}

func api(id string, extra string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":%q,%s"listen":{"path":"/%s"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`, id, id, extra, id)
}

func ref(id string) publish.Ref { return publish.Ref{Org: "default", Kind: publish.KindAPI, ID: id} }

var tester = publish.Author{Kind: "system", ID: "test", Name: "test"}

// put stores texts in one revision.
func put(t testing.TB, e *publish.Engine, texts ...[]byte) publish.Committed {
	t.Helper()
	done, err := e.Commit(t.Context(), tester, "", func(*publish.State) (edits []publish.Edit, err error) {
		for _, text := range texts {
			var d struct{ ID string }
			if err := json.Unmarshal(text, &d); err != nil {
				return nil, err
			}
			edits = append(edits, publish.Edit{Ref: ref(d.ID), Text: text})
		}
		return edits, nil
	})
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return done
}

func verify(t *testing.T, engines ...*publish.Engine) {
	t.Helper()
	for i, e := range engines {
		if err := e.Verify(t.Context()); err != nil {
			t.Errorf("engine %d: %v", i, err)
		}
	}
}

func TestARevisionReachesRedisViewsAndNotices(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	b := bus.New(s.redis.Client(), s.keys, bus.Options{})
	var mu sync.Mutex
	heard := map[notice.Kind]string{}
	for _, kind := range []notice.Kind{notice.ConfigChangedKind, notice.RevisionAppendedKind} {
		b.On(kind, func(payload json.RawMessage) {
			mu.Lock()
			defer mu.Unlock()
			heard[kind] = string(payload)
		})
	}
	gap := make(chan struct{})
	b.OnGap(sync.OnceFunc(func() { close(gap) }))
	e.Attach(b)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	<-gap

	text := api("orders", "")
	done := put(t, e, text)
	if done.Revision.N != 1 || len(done.Problems) != 0 || len(done.Objects) != 1 || done.Objects[0].Rev != 1 {
		t.Fatalf("got %+v", done)
	}
	if err := s.holds(e, "default", map[string]string{"api/orders": string(text)}); err != nil {
		t.Error(err)
	}
	testenv.Eventually(t, 5*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard[notice.ConfigChangedKind] == `{"epoch":1,"generation":1}` && heard[notice.RevisionAppendedKind] == `{"revision":1}`
	})
	if again := put(t, e, text); again.Revision.N != 0 {
		t.Errorf("the same text made revision %d", again.Revision.N)
	}
	verify(t, e)
}

func TestDeletedObjectsLeaveRootsAndMayComeBack(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	put(t, e, api("a", ""), api("b", ""))
	if _, err := e.Commit(t.Context(), tester, "", func(st *publish.State) ([]publish.Edit, error) {
		if st.Revision() != 1 {
			t.Errorf("judged against revision %d", st.Revision())
		}
		return []publish.Edit{{Ref: ref("a")}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "default", map[string]string{"api/b": string(api("b", ""))}); err != nil {
		t.Error(err)
	}
	put(t, e, api("a", ""))
	want := map[string]string{"api/a": string(api("a", "")), "api/b": string(api("b", ""))}
	if err := s.holds(e, "default", want); err != nil {
		t.Error(err)
	}
	verify(t, e, s.engine())
}

func TestGroupsGetWhatNamesThemAndWhatNamesNone(t *testing.T) {
	s := newSite(t)
	e := s.engine()
	put(t, e, api("everywhere", ""), api("edge", `"groups":["edge"],`))
	both := map[string]string{"api/everywhere": string(api("everywhere", "")), "api/edge": string(api("edge", `"groups":["edge"],`))}
	one := map[string]string{"api/everywhere": string(api("everywhere", ""))}
	if err := s.holds(e, "edge", both); err != nil {
		t.Error(err)
	}
	if err := s.holds(e, "default", one); err != nil {
		t.Error(err)
	}
	// A gateway of a group that nothing names says that it is there.
	beat := fleet.Beat{Node: "n1", Name: "gw", Service: "gateway", Group: "lab", State: fleet.Current, Source: "none"}
	if err := fleet.NewWriter(s.redis.Client(), s.keys).Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	if err := e.Repair(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := s.holds(e, "lab", one); err != nil {
		t.Error(err)
	}
	put(t, e, api("edge", `"groups":["lab"],`))
	if err := s.holds(e, "edge", one); err != nil {
		t.Error(err)
	}
	if err := s.holds(e, "lab", map[string]string{"api/everywhere": one["api/everywhere"], "api/edge": string(api("edge", `"groups":["lab"],`))}); err != nil {
		t.Error(err)
	}
}

// TestTwoDashboardsLoseNoUpdate lets two engines on one store and one Redis
// count up 20 objects at once: each change reads what it changes.
func TestTwoDashboardsLoseNoUpdate(t *testing.T) {
	onEachStore(t, func(t *testing.T, newSite func(testing.TB) *site) { loseNoUpdate(t, newSite(t)) })
}

func loseNoUpdate(t *testing.T, s *site) {
	const objects, workers, rounds = 20, 10, 10 // 2 engines x 10 x 10 = 200 changes
	engines := []*publish.Engine{s.engine(), s.engine()}
	counted := func(id string, n int) []byte { return api(id, fmt.Sprintf(`"description":"%d",`, n)) }
	id := func(i int) string { return fmt.Sprintf("api-%d", i) }
	for i := range objects {
		put(t, engines[i%2], counted(id(i), 0))
	}
	var all sync.WaitGroup
	for at, e := range engines {
		for w := range workers {
			all.Go(func() {
				for r := range rounds {
					id := id((w*rounds + r + at) % objects)
					_, err := e.Commit(t.Context(), tester, "", func(st *publish.State) ([]publish.Edit, error) {
						n, err := count(t.Context(), st, id)
						return []publish.Edit{{Ref: ref(id), Text: counted(id, n+1)}}, err
					})
					if err != nil {
						t.Errorf("commit: %v", err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	verify(t, engines...)
	total := 0
	want := map[string]string{}
	if err := engines[0].View(t.Context(), func(st *publish.State) error {
		for i := range objects {
			n, err := count(t.Context(), st, id(i))
			if err != nil {
				return err
			}
			total += n
			want["api/"+id(i)] = string(counted(id(i), n))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if total != 2*workers*rounds {
		t.Errorf("%d updates are there, %d were made", total, 2*workers*rounds)
	}
	list, err := engines[1].Revisions(t.Context(), 0, 1000, "", "")
	if err != nil || len(list) != objects+2*workers*rounds || list[0].N != int64(len(list)) {
		t.Errorf("%d revisions, %v", len(list), err)
	}
	for _, e := range engines {
		if err := s.holds(e, "default", want); err != nil {
			t.Error(err)
		}
	}
}

func count(ctx context.Context, st *publish.State, id string) (n int, err error) {
	text, err := st.Text(ctx, ref(id))
	if err != nil {
		return 0, err
	}
	var d struct {
		Description int `json:"description,string"`
	}
	err = json.Unmarshal(text, &d)
	return d.Description, err
}

func TestAStateKnowsConflictsOfAllDashboards(t *testing.T) {
	s := newSite(t)
	a, b := s.engine(), s.engine()
	put(t, a, api("orders", ""))
	err := b.View(t.Context(), func(st *publish.State) error {
		problems := st.Conflicts("default", decode(t, api("other", `"x-note":1,`)))
		if len(problems) != 0 {
			t.Errorf("a free path clashes: %v", problems)
		}
		d := decode(t, api("other", ""))
		d.Listen.Path = "/orders/"
		problems = st.Conflicts("default", d)
		if len(problems) != 1 || problems[0].Params["name"] != "orders" {
			t.Errorf("got %v", problems)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRevisionsAreCountedForWhomAllOfThemAre(t *testing.T) {
	s := newSite(t)
	a := s.engine()
	counted := func(e *publish.Engine, org string, want int64, wantOwn bool) {
		t.Helper()
		if n, own, err := e.Recorded(t.Context(), org); n != want || own != wantOwn || err != nil {
			t.Errorf("%s: %d, own %t, %v", org, n, own, err)
		}
	}
	counted(a, "default", 0, true)
	put(t, a, api("orders", ""))
	put(t, a, api("orders", `"x-note":1,`))
	counted(a, "default", 2, true)
	counted(a, "other", 2, false)
	theirs := publish.Ref{Org: "other", Kind: publish.KindAPI, ID: "theirs"}
	for _, text := range [][]byte{api("theirs", ""), nil} { // it comes and goes
		if _, err := a.Commit(t.Context(), tester, "", func(*publish.State) ([]publish.Edit, error) {
			return []publish.Edit{{Ref: theirs, Text: text}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	counted(a, "default", 4, false)
	counted(s.engine(), "default", 4, false) // as the views tell a dashboard that starts
}

func TestEventsTellOfRevisionsOfEveryDashboard(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	var seen []publish.Event
	a := s.engine()
	b := s.engine(func(o *publish.Options) {
		o.Changed = func(ev publish.Event) { mu.Lock(); seen = append(seen, ev); mu.Unlock() }
	})
	put(t, a, api("one", ""))
	if err := b.Repair(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	b.Acknowledge(notice.Applied{Node: "n", Epoch: 1, Generation: 1})
	b.Acknowledge(notice.Applied{Node: "n", Epoch: 1, Generation: 1}) // a repetition is no news
	mu.Lock()
	defer mu.Unlock()
	want := []publish.Event{{Kind: publish.EventRevision, Revision: 1}, {Kind: publish.EventAcknowledged, Revision: 1}}
	if !slices.Equal(seen, want) {
		t.Errorf("got %v", seen)
	}
}

func decode(t *testing.T, text []byte) *apidef.Definition {
	t.Helper()
	d, problems := apidef.DecodeStored(text)
	if d == nil {
		t.Fatal(problems)
	}
	return d
}
