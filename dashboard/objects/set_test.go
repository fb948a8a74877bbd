package objects_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/policies"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// gateways is a Checker that answers as it is told, and may do something first.
type gateways struct {
	rejected []notice.Rejected
	before   func()
}

func (g *gateways) Check(_ context.Context, _ []string, c notice.Check) (rejected []notice.Rejected, _ []string) {
	if g.before != nil {
		g.before()
	}
	for _, r := range g.rejected {
		if r.ID == c.ID {
			rejected = append(rejected, r)
		}
	}
	return rejected, nil
}

// uses says that keys name the policies of this list.
type uses []string

func (u uses) Using(_ context.Context, _, policy string) (int, []string, error) {
	for _, id := range u {
		if id == policy {
			return 1, []string{"web"}, nil
		}
	}
	return 0, nil, nil
}

type fixture struct {
	*objects.Set
	apis     *apis.Service
	policies *policies.Service
	engine   *publish.Engine
	checker  *gateways
}

func newFixture(t *testing.T, used ...string) fixture {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "config.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	f := fixture{checker: &gateways{}}
	f.engine = publish.New(publish.Options{
		Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(),
		Roots: wire.NewWriter(testenv.RedisServer(t).Client(), keys),
	})
	if err := f.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f.apis, err = apis.New(f.engine, store.Views(), f.checker); err != nil {
		t.Fatal(err)
	}
	f.policies = policies.New(f.engine, store.Views(), uses(used))
	f.Set = objects.NewSet(f.engine, f.apis.Collection, f.policies.Collection)
	return f
}

func write() objects.Write {
	return objects.Write{Org: "default", Author: publish.Author{Kind: "user", ID: "u", Name: "kim"}, Note: "together"}
}

// definition is an open API; id may be "".
func definition(id, name, path string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"name":%q,"listen":{"path":%q},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`, id, name, path)
}

func put(kind, id, ifMatch string, text []byte) objects.Change {
	return objects.Change{Kind: kind, ID: id, Action: objects.Put, Text: text, IfMatch: ifMatch}
}

func remove(kind, id, ifMatch string) objects.Change {
	return objects.Change{Kind: kind, ID: id, Action: objects.Delete, IfMatch: ifMatch}
}

func (f fixture) apply(t *testing.T, changes ...objects.Change) objects.SetResult {
	t.Helper()
	r, err := f.Apply(t.Context(), write(), changes)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return r
}

// revisions counts them.
func (f fixture) revisions(t *testing.T) int64 {
	t.Helper()
	n, _, err := f.engine.Recorded(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestASetIsOneRevision(t *testing.T) {
	f := newFixture(t)
	r := f.apply(t, put("api", "", "", definition("", "Orders", "/orders")), put("api", "", "", definition("", "Orders", "/other")),
		put("policy", "gold", "", []byte(`{"name":"Gold","rights":[{"api":"orders"},{"api":"orders-2"}]}`)))
	if r.Revision != 1 || len(r.Objects) != 3 || len(r.Problems) != 0 || len(r.Plan) != 3 || r.Plan[1].ID != "orders-2" || r.Plan[2].Action != "create" {
		t.Fatalf("%+v", r)
	}
	revision, err := f.engine.Revision(t.Context(), 1)
	if err != nil || len(revision.Changes) != 3 || revision.Note != "together" {
		t.Errorf("%+v, %v", revision, err)
	}
	if o, err := f.apis.Get(t.Context(), "default", "orders-2"); err != nil || o.Rev != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if err := f.engine.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestASetIsJudgedByWhereItLeads(t *testing.T) {
	f := newFixture(t, "used")
	f.apply(t, put("api", "a", "", definition("a", "A", "/a")), put("api", "b", "", definition("b", "B", "/b")), put("policy", "used", "", []byte(`{"name":"Used"}`)))
	t.Run("two APIs swap their paths", func(t *testing.T) {
		r := f.apply(t, put("api", "a", `"1"`, definition("a", "A", "/b")), put("api", "b", `"1"`, definition("b", "B", "/a")))
		if r.Revision != 2 || len(r.Problems) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a path goes from one that is deleted to one that is new", func(t *testing.T) {
		r := f.apply(t, put("api", "", "", definition("", "C", "/a")), remove("api", "b", `"2"`))
		if r.Revision != 3 || len(r.Problems) != 0 {
			t.Errorf("%+v", r)
		}
	})
	for _, c := range []struct {
		name   string
		set    []objects.Change
		code   fault.Code
		kind   fault.Kind
		change int
		path   string
	}{
		{
			"two of the set on one path",
			[]objects.Change{put("api", "x", "", definition("x", "X", "/x")), put("api", "y", "", definition("y", "Y", "/x/"))},
			"api.path_taken", fault.Conflict, 0, "/changes/0/object/listen/path",
		},
		{
			"a path of one that stays",
			[]objects.Change{put("policy", "p", "", []byte(`{"name":"P"}`)), put("api", "y", "", definition("y", "Y", "/b"))},
			"api.path_taken", fault.Conflict, 1, "/changes/1/object/listen/path",
		},
		{
			"a document with errors",
			[]objects.Change{put("policy", "p", "", []byte(`{"name":"P"}`)), put("api", "y", "", []byte(`{"name":"Y","nmae":1}`))},
			"set.invalid", fault.Unprocessable, 1, "/changes/1/object/nmae",
		},
		{"no JSON", []objects.Change{put("policy", "p", "", []byte(`{`))}, "set.invalid", fault.Unprocessable, 0, "/changes/0/object"},
		{
			"an old version",
			[]objects.Change{put("policy", "p", "", []byte(`{"name":"P"}`)), put("api", "a", `"1"`, definition("a", "A", "/q"))},
			"precondition.stale", fault.Stale, 1, "/changes/1",
		},
		{"no version of what exists", []objects.Change{put("api", "a", "", definition("a", "A", "/q"))}, "precondition.required", fault.Missing, 0, "/changes/0"},
		{"a version of what does not exist", []objects.Change{put("api", "q", `"1"`, definition("q", "Q", "/q"))}, "api.not_found", fault.NotFound, 0, "/changes/0"},
		{"deletion of what does not exist", []objects.Change{remove("api", "q", `*`)}, "api.not_found", fault.NotFound, 0, "/changes/0"},
		{
			"a policy that keys name",
			[]objects.Change{put("policy", "p", "", []byte(`{"name":"P"}`)), remove("policy", "used", "*")},
			"policy.in_use", fault.Conflict, 1, "/changes/1/object",
		},
		{"one object twice", []objects.Change{put("api", "a", "*", definition("a", "A", "/q")), remove("api", "a", "*")}, "set.twice", fault.Unprocessable, 1, "/changes/1"},
		{"another id in the text", []objects.Change{put("api", "n", "", definition("m", "A", "/q"))}, "api.id_changed", fault.Unprocessable, 0, "/changes/0"},
		{"another id for what exists", []objects.Change{put("api", "a", "*", definition("m", "A", "/q"))}, "set.invalid", fault.Unprocessable, 0, "/changes/0/object/id"},
		{"an unknown kind", []objects.Change{put("gadget", "a", "*", nil)}, "set.kind_unknown", fault.Unprocessable, -1, "/changes/0/kind"},
		{"an unknown action", []objects.Change{{Kind: "api", ID: "a", Action: "burn"}}, "set.action_unknown", fault.Unprocessable, -1, "/changes/0/action"},
		{"nothing", nil, "set.empty", fault.Unprocessable, -1, "/changes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := f.revisions(t)
			_, err := f.Apply(t.Context(), write(), c.set)
			got := fault.As(err)
			if got == nil || got.Code != c.code || got.Kind != c.kind {
				t.Fatalf("got %v", err)
			}
			first := got.Problems[0]
			if first.Path != c.path || c.change >= 0 && first.Params["change"] != c.change {
				t.Errorf("the problem is %+v", first)
			}
			if f.revisions(t) != before {
				t.Error("something was stored")
			}
		})
	}
}

func TestADryRunOfASetSaysWhatChanges(t *testing.T) {
	f := newFixture(t)
	f.apply(t, put("api", "a", "", definition("a", "A", "/a")), put("api", "b", "", definition("b", "B", "/b")))
	w := write()
	w.DryRun = true
	r, err := f.Apply(t.Context(), w, []objects.Change{
		put("api", "a", "*", definition("a", "A", "/q")), remove("api", "b", "*"), put("policy", "p", "", []byte(`{"name":"P"}`)),
	})
	if err != nil || r.Revision != 0 || len(r.Plan) != 3 || f.revisions(t) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	var said []string
	for _, step := range r.Plan {
		for _, d := range step.Differences {
			said = append(said, step.Action+" "+d.Message)
		}
	}
	if got, want := strings.Join(said, "; "), "update listen › path: /a → /q; delete deleted B; create created P"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	same, err := f.Apply(t.Context(), write(), []objects.Change{put("api", "a", "*", definition("a", "A", "/a"))})
	if err != nil || same.Revision != 0 || same.Plan[0].Action != "none" {
		t.Errorf("the same text: %+v, %v", same, err)
	}
}

func TestASetIsBegunAgainWhenTheStateMoves(t *testing.T) {
	f := newFixture(t)
	f.apply(t, put("api", "a", "", definition("a", "A", "/a")))
	f.checker.before = func() { // another commit comes between judging and appending
		f.checker.before = nil
		f.apply(t, put("api", "late", "", definition("late", "Late", "/x")))
	}
	_, err := f.Apply(t.Context(), write(), []objects.Change{put("api", "", "", definition("", "New", "/x"))})
	if !fault.Is(err, "api.path_taken") {
		t.Errorf("a path that was taken meanwhile: %v", err)
	}
	f.checker.before = func() {
		f.checker.before = nil
		f.apply(t, put("api", "new", "", definition("new", "New", "/y")))
	}
	r, err := f.Apply(t.Context(), write(), []objects.Change{put("api", "", "", definition("", "New", "/z"))})
	if err != nil || r.Plan[0].ID != "new-2" {
		t.Errorf("an id that was taken meanwhile: %+v, %v", r, err)
	}
	f.checker.before = func() {
		f.checker.before = nil
		f.apply(t, put("api", "a", "*", definition("a", "A", "/a2")))
	}
	if _, err = f.Apply(t.Context(), write(), []objects.Change{put("api", "a", `"1"`, definition("a", "A", "/a3"))}); !fault.Is(err, "precondition.stale") {
		t.Errorf("an object that was changed meanwhile: %v", err)
	}
}

func TestGatewaysCompileEachOfASet(t *testing.T) {
	f := newFixture(t)
	f.checker.rejected = []notice.Rejected{{Kind: "api", ID: "b", Code: "regex.invalid", Path: "/listen/path", Message: "no such class"}}
	_, err := f.Apply(t.Context(), write(), []objects.Change{
		put("api", "a", "", definition("a", "A", "/a")), put("api", "b", "", definition("b", "B", "/b")),
	})
	got := fault.As(err)
	if got == nil || got.Code != "set.invalid" || got.Problems[0].Path != "/changes/1/object/listen/path" || got.Problems[0].Params["by"] != "gateway" {
		t.Errorf("got %v", err)
	}
}
