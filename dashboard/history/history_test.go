package history_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/history"
	"github.com/sluice-gateway/sluice/dashboard/mongo"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/config"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// stores opens an empty store of each driver.
func stores() map[string]func(testing.TB) publish.Options {
	return map[string]func(testing.TB) publish.Options{
		"sqlite": func(t testing.TB) publish.Options {
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
			must(t, err)
			t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
			return publish.Options{Log: s.Log(), Contents: s.Contents(), Views: s.Views(), Marks: s.Marks()}
		},
		"mongodb": func(t testing.TB) publish.Options {
			db := testenv.MongoDB(t)
			s, err := mongo.Open(t.Context(), mongodb.Config{URL: config.Secret(os.Getenv("SLUICE_TEST_MONGODB_URL")), Database: db.Name()})
			must(t, err)
			t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
			return publish.Options{Log: s.Log(), Contents: s.Contents(), Views: s.Views(), Marks: s.Marks()}
		},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// free says that no key names a policy.
type free struct{}

func (free) Using(context.Context, string, string) (int, []string, error) { return 0, nil, nil }

type fixture struct {
	*history.Service
	engine *publish.Engine
	set    *objects.Set
	apis   *apis.Service
}

func newFixture(t testing.TB, o publish.Options) fixture {
	t.Helper()
	keys, err := trust.Generate()
	must(t, err)
	o.Roots = wire.NewWriter(testenv.RedisServer(t).Client(), keys)
	f := fixture{engine: publish.New(o)}
	must(t, f.engine.Start(t.Context()))
	f.apis, err = apis.New(f.engine, o.Views, nil)
	must(t, err)
	f.set = objects.NewSet(f.engine, f.apis.Collection, policies.New(f.engine, o.Views, free{}).Collection)
	f.Service = history.New(history.Options{Engine: f.engine, Log: o.Log, Contents: o.Contents, Set: f.set})
	return f
}

func write(note string) objects.Write {
	return objects.Write{Org: "default", Author: publish.Author{Kind: "user", ID: "u1", Name: "Kim"}, Note: note}
}

func definition(id, name, path string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":%q,"listen":{"path":%q},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`, id, name, path)
}

// put makes a revision of some APIs, each "id name path"; a lone id is deleted.
func (f fixture) put(t testing.TB, note string, all ...string) int64 {
	t.Helper()
	var changes []objects.Change
	for _, one := range all {
		words := strings.Fields(one)
		c := objects.Change{Kind: "api", ID: words[0], Action: objects.Delete, IfMatch: "*"}
		if len(words) == 3 {
			c.Action, c.Text = objects.Put, definition(words[0], words[1], words[2])
		}
		changes = append(changes, c)
	}
	r, err := f.set.Apply(t.Context(), write(note), changes)
	must(t, err)
	return r.Revision
}

// said joins what a comparison says.
func said(all []history.ObjectDiff) string {
	var out []string
	for _, d := range all {
		for _, x := range d.Differences {
			out = append(out, d.ID+": "+x.Message)
		}
		if len(d.Differences) == 0 {
			out = append(out, d.ID+": "+d.Action)
		}
	}
	return strings.Join(out, "; ")
}

func TestOnBothStores(t *testing.T) {
	for driver, open := range stores() {
		for name, test := range map[string]func(*testing.T, fixture){
			"differences between revisions":        differences,
			"everything goes back":                 everythingBack,
			"chosen objects go back":               chosenBack,
			"what cannot come back is refused":     refusedBack,
			"others change the same meanwhile":     racedBack,
			"search":                               search,
			"search pages and stays in its bounds": searchPages,
		} {
			t.Run(driver+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, newFixture(t, open(t)))
			})
		}
	}
}

func differences(t *testing.T, f fixture) {
	f.put(t, "", "a A /a", "b B /b")
	f.put(t, "", "a A2 /a")
	f.put(t, "", "b", "c C /c")
	f.put(t, "", "a A /a", "d D /d")
	f.put(t, "", "d")
	for _, c := range []struct {
		a, b int64
		want string
	}{
		{0, 1, "a: created A; b: created B"},
		{1, 2, "a: name: A → A2"},
		{2, 1, "a: name: A2 → A"},
		{2, 2, ""},
		{1, 5, "b: deleted B; c: created C"}, // a is what it was, d came and went
		{5, 0, "a: deleted A; c: deleted C"},
		{3, 4, "a: name: A2 → A; d: created D"},
	} {
		got, err := f.Diff(t.Context(), "default", c.a, c.b)
		if err != nil || said(got) != c.want {
			t.Errorf("%d..%d: got %s, %v; want %s", c.a, c.b, said(got), err, c.want)
		}
	}
	if got, err := f.Diff(t.Context(), "other", 0, 5); err != nil || len(got) != 0 {
		t.Errorf("another organisation: %v, %v", got, err)
	}
	for _, n := range []int64{-1, 6} {
		if _, err := f.Diff(t.Context(), "default", 1, n); !fault.Is(err, "revision.not_found") {
			t.Errorf("revision %d: %v", n, err)
		}
	}
}

func everythingBack(t *testing.T, f fixture) {
	f.put(t, "", "a A /a", "b B /b")
	f.put(t, "swap", "a A /b", "b B /a")
	f.put(t, "gone", "b", "c C /c")

	planned, err := f.Plan(t.Context(), "default", 1, nil)
	must(t, err)
	if planned.Revision != 0 || len(planned.Plan) != 3 || planned.Plan[0].Differences[0].Message != "listen › path: /b → /a" || planned.Plan[2].Action != "delete" {
		t.Errorf("%+v", planned)
	}
	done, err := f.Rollback(t.Context(), write("as it was"), 1, nil)
	must(t, err)
	if done.Revision != 4 || len(done.Later) != 3 || len(done.Later[1].Revisions) != 2 || done.Later[1].Revisions[0].Note != "swap" {
		t.Errorf("%+v", done)
	}
	if got, err := f.Diff(t.Context(), "default", 1, 4); err != nil || len(got) != 0 {
		t.Errorf("after the rollback %s differs, %v", said(got), err)
	}
	r, err := f.engine.Revision(t.Context(), 4)
	if err != nil || r.Note != "as it was" || len(r.Changes) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	again, err := f.Rollback(t.Context(), write("again"), 1, nil)
	if err != nil || again.Revision != 0 || len(again.Plan) != 0 {
		t.Errorf("going back to where it is: %+v, %v", again, err)
	}
	forth, err := f.Rollback(t.Context(), write("undo the rollback"), 3, nil)
	if err != nil || forth.Revision != 5 {
		t.Errorf("%+v, %v", forth, err)
	}
	must(t, f.engine.Verify(t.Context()))
}

func chosenBack(t *testing.T, f fixture) {
	f.put(t, "", "a A /a", "b B /b")
	f.put(t, "", "a A2 /a", "b B2 /b")
	done, err := f.Rollback(t.Context(), write("only a"), 1, []history.Ref{{Kind: "api", ID: "a"}})
	if err != nil || done.Revision != 3 || len(done.Plan) != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if o, err := f.apis.Get(t.Context(), "default", "b"); err != nil || o.Summary.Name != "B2" {
		t.Errorf("%+v, %v", o, err)
	}
}

func refusedBack(t *testing.T, f fixture) {
	f.put(t, "", "a A /a", "b B /b")
	f.put(t, "", "a A /q")
	f.put(t, "", "c C /a")
	_, err := f.Rollback(t.Context(), write("only a"), 1, []history.Ref{{Kind: "api", ID: "a"}})
	got := fault.As(err)
	if got == nil || got.Code != "api.path_taken" || got.Kind != fault.Conflict || got.Problems[0].Params["objectId"] != "a" ||
		got.Problems[0].Params["name"] != "C" || got.Problems[0].Path != "/listen/path" {
		t.Errorf("got %v", err)
	}
	for _, c := range []struct {
		n     int64
		note  string
		scope []history.Ref
		code  fault.Code
	}{
		{1, " ", nil, "rollback.note_missing"},
		{4, "x", nil, "revision.not_found"},
		{0, "x", nil, "revision.not_found"},
		{1, "x", []history.Ref{{Kind: "api", ID: "none"}}, "rollback.object_unknown"},
		{1, strings.Repeat("x", 501), nil, "revision.note_invalid"},
	} {
		if _, err := f.Rollback(t.Context(), write(c.note), c.n, c.scope); !fault.Is(err, c.code) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if n, _, err := f.engine.Recorded(t.Context(), "default"); n != 3 || err != nil {
		t.Errorf("%d revisions, %v", n, err)
	}
}

// racedBack rolls back while another changes the same object, fewer times than a
// rollback is begun again: it gets through, and leads to exactly what it names.
func racedBack(t *testing.T, f fixture) {
	f.put(t, "", "a A0 /a")
	for round := range 3 {
		done := make(chan error, 1)
		f.put(t, "", fmt.Sprintf("a B%d /a", round))
		go func() {
			for i := range 15 {
				_, err := f.set.Apply(t.Context(), write("other"), []objects.Change{
					{Kind: "api", ID: "a", Action: objects.Put, IfMatch: "*", Text: definition("a", fmt.Sprintf("A%d-%d", round, i+1), "/a")},
				})
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		out, err := f.Rollback(t.Context(), write("back"), 1, nil)
		must(t, <-done)
		if err != nil || out.Revision == 0 {
			t.Fatalf("rollback: %+v, %v", out, err)
		}
		if got, err := f.Diff(t.Context(), "default", 1, out.Revision); err != nil || len(got) != 0 {
			t.Errorf("after revision %d: %s, %v", out.Revision, said(got), err)
		}
	}
	must(t, f.engine.Verify(t.Context()))
}

func every(string) bool { return true }

// numbers are those of revisions.
func numbers(found history.Found) string {
	var out []string
	for _, r := range found.Revisions {
		out = append(out, fmt.Sprint(r.N))
	}
	return strings.Join(out, " ")
}

func search(t *testing.T, f fixture) {
	f.put(t, "First light", "a Orders /a")
	f.put(t, "", "b Stock /b")
	f.put(t, "", "a 주문서 /a")
	f.put(t, "removed", "b")
	for _, c := range []struct{ q, want string }{
		{"light", "1"}, {"LIGHT", "1"}, {"orders", "1"}, {"stock", "4 2"}, {"주문", "3"}, {"kim", "4 3 2 1"}, {"U1", "4 3 2 1"},
		{"removed", "4"}, {"none of these", ""}, {"%", ""}, {".*", ""}, {"b", "4 2"},
	} {
		for range 2 { // names are remembered the second time
			found, err := f.Search(t.Context(), "default", c.q, 0, 10, every)
			if err != nil || numbers(found) != c.want || found.Next != 0 {
				t.Errorf("%q: got %s, next %d, %v; want %s", c.q, numbers(found), found.Next, err, c.want)
			}
		}
	}
	if found, err := f.Search(t.Context(), "default", "orders", 0, 10, func(string) bool { return false }); err != nil || len(found.Revisions) != 0 {
		t.Errorf("names of a kind that may not be read: %s, %v", numbers(found), err)
	}
	if found, err := f.Search(t.Context(), "other", "kim", 0, 10, every); err != nil || len(found.Revisions) != 0 {
		t.Errorf("another organisation: %s, %v", numbers(found), err)
	}
}

func searchPages(t *testing.T, f fixture) {
	for i := range 9 {
		f.put(t, fmt.Sprintf("note %d", i%2), fmt.Sprintf("a A%d /a", i))
	}
	var all []string
	before := int64(0)
	for {
		found, err := f.Search(t.Context(), "default", "note 0", before, 2, every)
		must(t, err)
		all = append(all, numbers(found))
		if before = found.Next; before == 0 {
			break
		}
	}
	if got := strings.Join(all, " | "); got != "9 7 | 5 3 | 1" {
		t.Errorf("got %s", got)
	}
}

// TestThousandRevisions measures what people wait for: 1 000 revisions of 1 000 APIs
// of 20 endpoints. The figures are in the log; the bound only finds what grows out of
// proportion, since the race detector and other tests share the machine.
func TestThousandRevisions(t *testing.T) {
	for driver, open := range stores() {
		t.Run(driver, func(t *testing.T) {
			f := newFixture(t, open(t))
			thousand(t, f)
			for _, c := range []struct {
				what string
				do   func() error
			}{
				{"search, first time", func() error { _, err := f.Search(t.Context(), "default", "zzz", 0, 50, every); return err }},
				{"search", func() error { _, err := f.Search(t.Context(), "default", "zzz", 0, 50, every); return err }},
				{"list", func() error { _, err := f.engine.Revisions(t.Context(), 0, 200, "", ""); return err }},
				{"diff of neighbours", func() error { _, err := f.Diff(t.Context(), "default", 500, 501); return err }},
				{"diff of all", func() error { _, err := f.Diff(t.Context(), "default", 1, 1001); return err }},
				{"plan of one object", func() error {
					_, err := f.Plan(t.Context(), "default", 1, []history.Ref{{Kind: "api", ID: "api-7"}})
					return err
				}},
			} {
				start := time.Now()
				must(t, c.do())
				took := time.Since(start)
				t.Logf("%s: %v", c.what, took.Round(100*time.Microsecond))
				if took > 20*time.Second {
					t.Errorf("%s took %v", c.what, took)
				}
			}
		})
	}
}

// thousand makes one revision of 1 000 APIs and 1 000 that change one each.
func thousand(t *testing.T, f fixture) {
	var endpoints []string
	for i := range 20 {
		endpoints = append(endpoints, fmt.Sprintf(`{"methods":["GET"],"path":"/things/%d/{id}","summary":"Thing number %d"}`, i, i))
	}
	text := func(i, version int) []byte {
		return fmt.Appendf(nil, `{"id":"api-%d","name":"API %d version %d","listen":{"path":"/api-%d"},"upstream":{"targets":[{"url":"http://10.0.0.1:8080"}]},"filters":{"auth":{"open":true}},"endpoints":[%s]}`,
			i, i, version, i, strings.Join(endpoints, ","))
	}
	ref := func(i int) publish.Ref {
		return publish.Ref{Org: "default", Kind: publish.KindAPI, ID: fmt.Sprintf("api-%d", i)}
	}
	var edits []publish.Edit
	for i := range 1000 {
		edits = append(edits, publish.Edit{Ref: ref(i), Text: text(i, 1)})
	}
	commit := func(edits []publish.Edit) {
		t.Helper()
		_, err := f.engine.Commit(t.Context(), publish.Author{Kind: "user", ID: "u1", Name: "Kim"}, "", func(*publish.State) ([]publish.Edit, error) { return edits, nil })
		must(t, err)
	}
	commit(edits)
	for i := range 1000 {
		commit([]publish.Edit{{Ref: ref(i), Text: text(i, 2)}})
	}
}
