package apis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/objects"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/dashboard/sqlite"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	wire "github.com/sluice-gateway/sluice/pkg/publish"
	"github.com/sluice-gateway/sluice/pkg/testenv"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

// gateways is a Checker that answers as it is told.
type gateways struct {
	rejected []notice.Rejected
	silent   []string
	asked    []notice.Check
}

func (g *gateways) Check(_ context.Context, _ []string, c notice.Check) ([]notice.Rejected, []string) {
	g.asked = append(g.asked, c)
	return g.rejected, g.silent
}

type fixture struct {
	*apis.Service
	engine *publish.Engine
	store  *sqlite.Store
}

func open(t *testing.T, path string, rdb *testenv.Server, keys *trust.Keys, checker apis.Checker) fixture {
	t.Helper()
	store, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
	e := publish.New(publish.Options{
		Log: store.Log(), Contents: store.Contents(), Views: store.Views(), Marks: store.Marks(),
		Roots: wire.NewWriter(rdb.Client(), keys),
	})
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := apis.New(e, store.Views(), checker)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{s, e, store}
}

func newService(t *testing.T, checker apis.Checker) fixture {
	t.Helper()
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return open(t, filepath.Join(t.TempDir(), "config.db"), testenv.RedisServer(t), keys, checker)
}

func write(ifMatch string) objects.Write {
	return objects.Write{Org: "default", Author: publish.Author{Kind: "user", ID: "u", Name: "kim"}, IfMatch: ifMatch}
}

const rest = `"listen":{"path":"/%s"},"upstream":{"targets":[{"url":"http://127.0.0.1:1"}]},"filters":{"auth":{"open":true}}}`

func text(start, path string) []byte { return []byte(start + fmt.Sprintf(rest, path)) }

// create stores an API and returns its outcome.
func create(t *testing.T, s fixture, text []byte) objects.Result {
	t.Helper()
	r, err := s.Create(t.Context(), write(""), text)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return r
}

func TestCreateMakesAnIDAndChangesNothingElse(t *testing.T) {
	s := newService(t, &gateways{})
	for _, c := range []struct{ name, in, out, id string }{
		{"one line", `{"name":"Orders",`, `{"id": "orders", "name":"Orders",`, "orders"},
		{"indented", "{\n  \"name\": \"Stock\",\n  ", "{\n  \"id\": \"stock\",\n  \"name\": \"Stock\",\n  ", "stock"},
		{"an id of its own", `{"name":"Bills", "id":"b-1",`, `{"name":"Bills", "id":"b-1",`, "b-1"},
		{"an empty id", `{"name":"Void","id":"",`, `{"name":"Void","id":"void",`, "void"},
		{"a name that is taken", `{"name":"Orders!",`, `{"id": "orders-2", "name":"Orders!",`, "orders-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := strings.ReplaceAll(c.name, " ", "-")
			r := create(t, s, text(c.in, path))
			if got, want := string(r.Object.Text), string(text(c.out, path)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if r.Object.ID != c.id || r.Revision == 0 || r.ETag != objects.ETag(r.Revision) || len(r.Problems) != 0 {
				t.Errorf("got %+v", r)
			}
			if o, err := s.Get(t.Context(), "default", c.id); err != nil || string(o.Text) != string(r.Object.Text) {
				t.Errorf("got %v, %v", o, err)
			}
		})
	}
	korean := create(t, s, text(`{"name":"주문",`, "korean"))
	if !strings.HasPrefix(korean.Object.ID, "api-") || len(korean.Object.ID) != 10 {
		t.Errorf("got the id %q", korean.Object.ID)
	}
}

func TestRefusals(t *testing.T) {
	s := newService(t, &gateways{})
	create(t, s, text(`{"id":"orders","name":"Orders",`, "orders"))
	for _, c := range []struct {
		name string
		do   func() error
		kind fault.Kind
		code fault.Code
		says string
	}{
		{"the path of another API", func() error { return createErr(t, s, text(`{"name":"Second",`, "orders/")) }, fault.Conflict, "api.path_taken", "Orders"},
		{"an id that exists", func() error { return createErr(t, s, text(`{"id":"orders","name":"X",`, "x")) }, fault.Conflict, "api.exists", "orders"},
		{"an unknown member", func() error { return createErr(t, s, text(`{"name":"X","nmae":1,`, "x")) }, fault.Unprocessable, "api.invalid", "/nmae"},
		{"no auth decided", func() error {
			return createErr(t, s, []byte(`{"name":"X","listen":{"path":"/x"},"upstream":{"targets":[{"url":"http://a"}]}}`))
		}, fault.Unprocessable, "api.invalid", "auth"},
		{"not JSON", func() error { return createErr(t, s, []byte(`{`)) }, fault.Unprocessable, "api.invalid", ""},
		{"a change of nothing", func() error { return replaceErr(t, s, "*", "none", text(`{"name":"X",`, "x")) }, fault.NotFound, "api.not_found", "none"},
		{"no If-Match", func() error { return replaceErr(t, s, "", "orders", text(`{"name":"X",`, "x")) }, fault.Missing, "precondition.required", ""},
		{"an old If-Match", func() error { return replaceErr(t, s, `"77"`, "orders", text(`{"name":"X",`, "x")) }, fault.Stale, "precondition.stale", `"1"`},
		{"another id", func() error { return replaceErr(t, s, "*", "orders", text(`{"id":"other","name":"X",`, "x")) }, fault.Unprocessable, "api.invalid", "/id"},
		{"a bad patch", func() error {
			_, err := s.Patch(t.Context(), write("*"), "orders", []byte(`{"name":7}`))
			return err
		}, fault.Unprocessable, "api.invalid", "/name"},
		{"deletion without If-Match", func() error { _, err := s.Delete(t.Context(), write(""), "orders"); return err }, fault.Missing, "precondition.required", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fault.As(c.do())
			if f == nil || f.Kind != c.kind || f.Code != c.code || !strings.Contains(f.Error(), c.says) {
				t.Errorf("got %v", f)
			}
		})
	}
	if list, err := s.engine.Revisions(t.Context(), 0, 10, "", ""); err != nil || len(list) != 1 {
		t.Errorf("refusals made revisions: %v, %v", list, err)
	}
}

func createErr(t *testing.T, s fixture, text []byte) error {
	_, err := s.Create(t.Context(), write(""), text)
	return err
}

func replaceErr(t *testing.T, s fixture, ifMatch, id string, text []byte) error {
	_, err := s.Replace(t.Context(), write(ifMatch), id, text)
	return err
}

func TestReplacePatchDelete(t *testing.T) {
	s := newService(t, &gateways{})
	first := create(t, s, text(`{"id":"a","name":"A",`, "a"))

	same, err := s.Replace(t.Context(), write(first.ETag), "a", first.Object.Text)
	if err != nil || same.Revision != 0 || same.ETag != first.ETag || same.Plan[0].Action != "none" {
		t.Errorf("the same text: %+v, %v", same, err)
	}
	second, err := s.Replace(t.Context(), write(first.ETag), "a", text(`{"id":"a","name":"B",`, "a"))
	if err != nil || second.Revision != 2 || second.Object.Summary.Name != "B" {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := s.Replace(t.Context(), write(first.ETag), "a", text(`{"id":"a","name":"C",`, "a")); fault.As(err).Params["current"] != second.ETag {
		t.Errorf("a stale change: %v", err)
	}
	third, err := s.Patch(t.Context(), write(second.ETag), "a", []byte(`{"description":"new","listen":{"path":"/b"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(string(text(`{"id":"a","name":"B",`, "b")), "}") + `,"description":"new"}`; string(third.Object.Text) != want {
		t.Errorf("got  %s\nwant %s", third.Object.Text, want)
	}
	gone, err := s.Delete(t.Context(), write(`"1", `+third.ETag), "a")
	if err != nil || !gone.Object.Deleted || gone.Revision != 4 {
		t.Fatalf("%+v, %v", gone, err)
	}
	if _, err := s.Get(t.Context(), "default", "a"); !fault.Is(err, "api.not_found") {
		t.Errorf("got %v", err)
	}
	create(t, s, text(`{"id":"a","name":"Back",`, "b")) // id and path are free again
	if err := s.engine.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADryRunStoresNothing(t *testing.T) {
	s := newService(t, &gateways{})
	dry := write("*")
	dry.DryRun = true
	r, err := s.Create(t.Context(), dry, text(`{"name":"A",`, "a"))
	if err != nil || r.Revision != 0 || r.Object.ID != "a" || r.Plan[0].Action != "create" || r.Plan[0].After == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	made := create(t, s, text(`{"name":"A",`, "a"))
	r, err = s.Patch(t.Context(), dry, "a", []byte(`{"name":"B"}`))
	if err != nil || r.Plan[0].Action != "update" || r.Plan[0].Before != made.Object.SHA {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err = s.Delete(t.Context(), dry, "a"); err != nil || r.Plan[0].Action != "delete" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := s.Create(t.Context(), dry, text(`{"name":"B",`, "a")); !fault.Is(err, "api.path_taken") {
		t.Errorf("got %v", err)
	}
	if o, err := s.Get(t.Context(), "default", "a"); err != nil || o.Rev != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestGatewaysCompileBeforeAChangeIsStored(t *testing.T) {
	g := &gateways{}
	s := newService(t, g)
	g.rejected = []notice.Rejected{{Kind: "api", ID: "a", Code: "regex.invalid", Path: "/listen/path", Message: "/listen/path: no such class"}}
	err := createErr(t, s, text(`{"name":"A",`, "a"))
	if f := fault.As(err); f == nil || f.Kind != fault.Unprocessable || f.Problems[0].Code != "regex.invalid" ||
		f.Problems[0].Path != "/listen/path" || f.Problems[0].Message != "no such class" {
		t.Fatalf("got %v", err)
	}
	if len(g.asked) != 1 || g.asked[0].ID != "a" || !json.Valid(g.asked[0].Text) {
		t.Errorf("asked %+v", g.asked)
	}
	g.rejected, g.silent = nil, []string{"default"}
	r := create(t, s, text(`{"name":"A",`, "a"))
	if len(r.Problems) != 1 || r.Problems[0].Code != "check.unavailable" || r.Problems[0].Severity != fault.Warning {
		t.Errorf("got %v", r.Problems)
	}
}

func TestCheckAndAvailabilityNameTheConflict(t *testing.T) {
	s := newService(t, &gateways{})
	create(t, s, text(`{"name":"Orders",`, "orders"))
	problems, err := s.Check(t.Context(), "default", "", text(`{"name":"Other",`, "orders"))
	if err != nil || len(problems) != 1 || problems[0].Code != "api.path_taken" || problems[0].Params["name"] != "Orders" {
		t.Errorf("got %v, %v", problems, err)
	}
	if problems, err = s.Check(t.Context(), "default", "orders", text(`{"name":"Other",`, "orders")); err != nil || len(problems) != 0 {
		t.Errorf("an API against itself: %v, %v", problems, err)
	}
	if problems, err = s.Check(t.Context(), "default", "", []byte(`{"nmae":1}`)); err != nil || len(problems) == 0 {
		t.Errorf("got %v, %v", problems, err)
	}
	a, err := s.Availability(t.Context(), apis.Place{Org: "default", Path: "/orders"})
	if err != nil || a.Available || a.Problems[0].Params["name"] != "Orders" {
		t.Errorf("got %+v, %v", a, err)
	}
	if a, err = s.Availability(t.Context(), apis.Place{Org: "default", Path: "/orders", ID: "orders"}); err != nil || !a.Available {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestWhatNothingReadsIsKeptWhileItStays stores a text with members of a newer
// version, as a restored backup may hold it.
func TestWhatNothingReadsIsKeptWhileItStays(t *testing.T) {
	s := newService(t, &gateways{})
	strange := text(`{"id":"a","name":"A","mirror":{"pool":"x"},"future":{"a": 1},`, "a")
	_, err := s.engine.Commit(t.Context(), publish.Author{}, "", func(*publish.State) ([]publish.Edit, error) {
		return []publish.Edit{{Ref: publish.Ref{Org: "default", Kind: publish.KindAPI, ID: "a"}, Text: strange}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Patch(t.Context(), write("*"), "a", []byte(`{"name":"B"}`))
	if err != nil || len(r.Problems) != 2 || r.Problems[0].Severity != fault.Warning {
		t.Fatalf("%+v, %v", r.Problems, err)
	}
	if want := strings.Replace(string(strange), `"name":"A"`, `"name":"B"`, 1); string(r.Object.Text) != want {
		t.Errorf("got  %s\nwant %s", r.Object.Text, want)
	}
	if _, err := s.Patch(t.Context(), write("*"), "a", []byte(`{"future":{"a":2}}`)); !fault.Is(err, "api.invalid") {
		t.Errorf("a change of what nothing reads: %v", err)
	}
	if _, err := s.Patch(t.Context(), write("*"), "a", []byte(`{"future":null,"mirror":null}`)); err != nil {
		t.Errorf("taking it out: %v", err)
	}
	// Its path counts in conflicts although parts of it are not read.
	if err := createErr(t, s, text(`{"name":"C",`, "a")); !fault.Is(err, "api.path_taken") {
		t.Errorf("got %v", err)
	}
}

// TestTwoDashboardsAndOneIfMatch: of many changes with the same ETag one wins.
func TestTwoDashboardsAndOneIfMatch(t *testing.T) {
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	path, rdb := filepath.Join(t.TempDir(), "config.db"), testenv.RedisServer(t)
	both := []fixture{open(t, path, rdb, keys, nil), open(t, path, rdb, keys, nil)}
	etag := create(t, both[0], text(`{"id":"a","name":"A",`, "a")).ETag
	for round := range 5 {
		var all sync.WaitGroup
		won := make(chan string, 20)
		for i := range 20 {
			all.Go(func() {
				r, err := both[i%2].Patch(t.Context(), write(etag), "a", fmt.Appendf(nil, `{"name":"%d-%d"}`, round, i))
				switch {
				case err == nil:
					won <- r.ETag
				case !fault.Is(err, "precondition.stale"):
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of 20 changes of one version won", len(won))
		}
		etag = <-won
	}
	// Without a version in mind every change counts, one after another.
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := both[i%2].Patch(t.Context(), write("*"), "a", fmt.Appendf(nil, `{"tags":["%d"]}`, i)); err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if list, err := both[0].engine.Revisions(t.Context(), 0, 100, "", ""); err != nil || len(list) != 26 {
		t.Errorf("%d revisions, %v", len(list), err)
	}
}

func TestTwoCreationsOfOnePathAtOnce(t *testing.T) {
	keys, err := trust.Generate()
	if err != nil {
		t.Fatal(err)
	}
	path, rdb := filepath.Join(t.TempDir(), "config.db"), testenv.RedisServer(t)
	both := []fixture{open(t, path, rdb, keys, nil), open(t, path, rdb, keys, nil)}
	var all sync.WaitGroup
	made := make(chan string, 20)
	for i := range 20 {
		all.Go(func() {
			r, err := both[i%2].Create(t.Context(), write(""), text(`{"name":"Same",`, "same"))
			switch {
			case err == nil:
				made <- r.Object.ID
			case !fault.Is(err, "api.path_taken"):
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if len(made) != 1 {
		t.Errorf("%d APIs have one path", len(made))
	}
}
