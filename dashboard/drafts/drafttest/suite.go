// Package drafttest holds the contract of the store of drafts: what every store
// must do, whoever keeps it.
package drafttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/drafts"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Run checks the contract of drafts.Shelf. open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) drafts.Shelf) {
	for name, f := range map[string]func(*testing.T, drafts.Shelf){
		"a draft comes back as it went in":              roundTrip,
		"texts come back byte for byte":                 texts,
		"one live draft per person and object":          slots,
		"of racing inserts of a slot one wins":          insertRace,
		"of racing changes of a version one wins":       replaceRace,
		"a change needs the version that is there":      replace,
		"a deletion needs the version that is there":    remove,
		"a list is filtered and in order":               list,
		"a list goes on where the page before ended":    pages,
		"what is due comes earliest first":              due,
		"published drafts are swept, and nothing else":  sweep,
		"an ended context ends every operation":         ended,
		"organisations do not see each other's drafts":  organisations,
		"what waits for nothing is due at no time":      never,
		"a draft that is published is looked for again": claimed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open(t))
		})
	}
}

// base is when everything in the suite happens: whole milliseconds, UTC.
var base = time.Date(2026, 11, 22, 4, 35, 7, 89_000_000, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// race runs f on n goroutines that start together, and waits for all.
func race(n int, f func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// draft is an open one that changes the API of the same id.
func draft(id string) drafts.Draft {
	return drafts.Draft{
		ID: id, Org: "default", Kind: publish.KindAPI, Object: id, Name: "API " + id, Text: []byte(`{"id": "` + id + `"}`),
		Base: drafts.Base{Revision: 3, SHA: "aa"}, Owner: "u1", Author: publish.Author{Kind: "user", ID: "u1", Name: "kim"},
		State: drafts.Open, CreatedAt: base, UpdatedAt: base, Version: 1,
	}
}

// full has every field set.
func full(id string) drafts.Draft {
	d := draft(id)
	d.Note, d.State, d.Approved, d.Published, d.Merged = "lower limits", drafts.Scheduled, true, 12, 11
	d.Reviews = []drafts.Review{
		{By: publish.Author{Kind: "user", ID: "u2", Name: "lee"}, At: base.Add(time.Second), Verdict: drafts.Reject, Note: "why?"},
		{By: publish.Author{Kind: "token", ID: "t2", Name: "CI (lee)"}, At: base.Add(time.Minute), Verdict: drafts.Approve},
	}
	d.Plan = &drafts.Plan{At: base.Add(time.Hour), By: d.Author, Merge: true}
	d.Problems = []fault.Problem{{Code: "api.path_taken", Path: "/listen/path", Message: "taken", Params: map[string]any{"a.b": "$x"}, Severity: fault.Error}}
	d.Claim = &drafts.Claim{Until: base.Add(2 * time.Hour), By: d.Author, After: 9, ID: id, SHA: "bb", Merge: 8}
	d.UpdatedAt, d.Version = base.Add(time.Minute), 7
	return d
}

func want(t *testing.T, s drafts.Shelf, d drafts.Draft) {
	t.Helper()
	if got, err := s.Get(t.Context(), d.Org, d.ID); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("Get(%q): %v\n got %+v\nwant %+v", d.ID, err, got, d)
	}
}

func roundTrip(t *testing.T, s drafts.Shelf) {
	for _, text := range []string{
		`%`, `_`, `.*`, `$ne`, `{"$ne":null}`, `{`, `\`, `' OR '1'='1`, `'; DROP TABLE drafts; --`, `"`, "`", `a.b.c`, `$set`, `초안`, `😀`,
		`a/b`, `*`, ` `, `null`, `1`, `<&>`,
	} {
		_, err := s.Get(t.Context(), "default", text)
		wantErr(t, fmt.Sprintf("Get(%q)", text), err, drafts.ErrNotFound)
		d := draft("id" + text)
		d.Org, d.Kind, d.Object, d.Name, d.Owner, d.Note = text, text, text, text, text, text
		must(t, s.Insert(t.Context(), d))
		want(t, s, d)
	}
	d := full("full")
	must(t, s.Insert(t.Context(), d))
	want(t, s, d)
	created := draft("created")
	created.Object, created.Base = "", drafts.Base{}
	must(t, s.Insert(t.Context(), created))
	want(t, s, created)
}

func texts(t *testing.T, s drafts.Shelf) {
	for i, text := range []string{
		`{"paths":{"/v1.0/{id}":{"$ref":"#/a.b"}},"$schema":"x","":2}`, "{ \"a\" :1.0,\r\n\t\"b\":2e3 }\n\n", `{"name":"주문 API 😀"}`,
		`{"s":"` + "\u1112\u1161\u11ab" + `\u0000<&>"}`,
	} {
		d := draft(fmt.Sprint("t", i))
		d.Text = []byte(text)
		must(t, s.Insert(t.Context(), d))
		want(t, s, d)
		d.Text, d.Version = []byte(text+" "), 2
		must(t, s.Replace(t.Context(), d, 1))
		want(t, s, d)
	}
}

func slots(t *testing.T, s drafts.Shelf) {
	first := draft("a")
	must(t, s.Insert(t.Context(), first))
	wantErr(t, "the same id", s.Insert(t.Context(), first), drafts.ErrTaken)
	second := draft("b")
	second.Object = "a"
	wantErr(t, "a second one of the same person", s.Insert(t.Context(), second), drafts.ErrTaken)
	others := map[string]func(*drafts.Draft){
		"another person":       func(d *drafts.Draft) { d.Owner = "u2" },
		"another object":       func(d *drafts.Draft) { d.Object = "a2" },
		"another kind":         func(d *drafts.Draft) { d.Kind = publish.KindPolicy },
		"another organisation": func(d *drafts.Draft) { d.Org = "other" },
		"a rejected one":       func(d *drafts.Draft) { d.State = drafts.Rejected },
		"a published one":      func(d *drafts.Draft) { d.State = drafts.Published },
		"a new object":         func(d *drafts.Draft) { d.Object = "" },
		"another new object":   func(d *drafts.Draft) { d.Object = "" },
		"a slash in names":     func(d *drafts.Draft) { d.Kind, d.Object = "api/a", ""+"u1" },
		"a slash elsewhere":    func(d *drafts.Draft) { d.Kind, d.Object = "api", "a/u1" },
	}
	for name, change := range others {
		d := draft("of " + name)
		d.Object = "a"
		change(&d)
		if err := s.Insert(t.Context(), d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := draft("of a rejected one")
	again.Object, again.Version = "a", 2
	wantErr(t, "opening a rejected one beside a live one", s.Replace(t.Context(), again, 1), drafts.ErrTaken)
	first.State, first.Version = drafts.Published, 2
	must(t, s.Replace(t.Context(), first, 1))
	must(t, s.Replace(t.Context(), again, 1))
	want(t, s, again)
}

func insertRace(t *testing.T, s drafts.Shelf) {
	for round := range 10 {
		var wins atomic.Int64
		race(8, func(i int) {
			d := draft(fmt.Sprintf("d-%d-%d", round, i))
			d.Object = fmt.Sprint("object ", round)
			switch err := s.Insert(t.Context(), d); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, drafts.ErrTaken):
				t.Errorf("a loser got %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d inserts of one slot won", wins.Load())
		}
	}
}

func replaceRace(t *testing.T, s drafts.Shelf) {
	d := draft("a")
	must(t, s.Insert(t.Context(), d))
	for round := range 10 {
		var wins atomic.Int64
		var winner atomic.Value
		race(8, func(i int) {
			mine := d
			mine.Version, mine.Note = d.Version+1, fmt.Sprintf("%d-%d", round, i)
			switch err := s.Replace(t.Context(), mine, d.Version); {
			case err == nil:
				wins.Add(1)
				winner.Store(mine)
			case !errors.Is(err, drafts.ErrStale):
				t.Errorf("a loser got %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d changes of one version won", wins.Load())
		}
		d = winner.Load().(drafts.Draft)
		want(t, s, d)
	}
}

func replace(t *testing.T, s drafts.Shelf) {
	d := draft("a")
	wantErr(t, "of one that is not there", s.Replace(t.Context(), d, 1), drafts.ErrNotFound)
	must(t, s.Insert(t.Context(), d))
	changed := full("a")
	for _, version := range []int64{0, 2, -1} {
		wantErr(t, fmt.Sprint("of version ", version), s.Replace(t.Context(), changed, version), drafts.ErrStale)
	}
	want(t, s, d)
	must(t, s.Replace(t.Context(), changed, 1))
	want(t, s, changed)
}

func remove(t *testing.T, s drafts.Shelf) {
	d := draft("a")
	must(t, s.Insert(t.Context(), d))
	wantErr(t, "of another version", s.Delete(t.Context(), "default", "a", 2), drafts.ErrStale)
	wantErr(t, "of another organisation", s.Delete(t.Context(), "other", "a", 1), drafts.ErrNotFound)
	wantErr(t, "of another draft", s.Delete(t.Context(), "default", "b", 1), drafts.ErrNotFound)
	want(t, s, d)
	must(t, s.Delete(t.Context(), "default", "a", 1))
	_, err := s.Get(t.Context(), "default", "a")
	wantErr(t, "after the deletion", err, drafts.ErrNotFound)
	wantErr(t, "deleting it again", s.Delete(t.Context(), "default", "a", 1), drafts.ErrNotFound)
	must(t, s.Insert(t.Context(), d)) // id and slot are free again
}

func ids(p drafts.Page) (list []string) {
	for _, d := range p.Items {
		list = append(list, d.ID)
	}
	return list
}

func list(t *testing.T, s drafts.Shelf) {
	for i, change := range []func(*drafts.Draft){
		func(d *drafts.Draft) { d.State = drafts.Submitted },
		func(d *drafts.Draft) { d.Kind = publish.KindPolicy },
		func(d *drafts.Draft) { d.Owner = "u2" },
		func(d *drafts.Draft) { d.Org = "other" },
	} {
		d := draft(fmt.Sprint("d", i))
		d.UpdatedAt = base.Add(time.Duration(i) * time.Second)
		change(&d)
		must(t, s.Insert(t.Context(), d))
	}
	for name, c := range map[string]struct {
		q    drafts.Query
		want []string
	}{
		"all":       {drafts.Query{Org: "default"}, []string{"d2", "d1", "d0"}},
		"state":     {drafts.Query{Org: "default", State: drafts.Open}, []string{"d2", "d1"}},
		"kind":      {drafts.Query{Org: "default", Kind: publish.KindAPI}, []string{"d2", "d0"}},
		"object":    {drafts.Query{Org: "default", Object: "d1"}, []string{"d1"}},
		"owner":     {drafts.Query{Org: "default", Owner: "u1"}, []string{"d1", "d0"}},
		"several":   {drafts.Query{Org: "default", Owner: "u1", State: drafts.Open, Kind: publish.KindPolicy}, []string{"d1"}},
		"nothing":   {drafts.Query{Org: "default", Owner: "$ne"}, nil},
		"elsewhere": {drafts.Query{Org: "other"}, []string{"d3"}},
		"nowhere":   {drafts.Query{Org: ""}, nil},
	} {
		c.q.Limit = 10
		p, err := s.List(t.Context(), c.q)
		if err != nil || !reflect.DeepEqual(ids(p), c.want) || p.Total != len(c.want) || p.Next != "" {
			t.Errorf("%s: %v %d %q %v, want %v", name, ids(p), p.Total, p.Next, err, c.want)
		}
		for _, d := range p.Items {
			if d.Text != nil || d.Name == "" {
				t.Errorf("%s: an item of a list is %+v", name, d)
			}
		}
	}
}

func pages(t *testing.T, s drafts.Shelf) {
	var all []string
	for i := range 7 {
		d := draft(fmt.Sprint("d", 6-i))
		d.UpdatedAt = base.Add(-time.Duration(i/3) * time.Millisecond) // several of each instant
		all = append(all, d.ID)
		must(t, s.Insert(t.Context(), d))
	}
	var got []string
	q := drafts.Query{Org: "default", Limit: 2}
	for range 10 {
		p, err := s.List(t.Context(), q)
		must(t, err)
		if p.Total != len(all) {
			t.Errorf("total %d, want %d", p.Total, len(all))
		}
		got = append(got, ids(p)...)
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if !reflect.DeepEqual(got, all) {
		t.Errorf("pages gave %v, want %v", got, all)
	}
	if _, err := s.List(t.Context(), drafts.Query{Org: "default", Limit: 1, After: "nonsense"}); !fault.Is(err, "list.cursor_invalid") {
		t.Errorf("a cursor that is none: %v", err)
	}
}

// scheduled is a draft for a time.
func scheduled(id string, after time.Duration) drafts.Draft {
	d := draft(id)
	d.State, d.Plan = drafts.Scheduled, &drafts.Plan{At: base.Add(after), By: d.Author}
	return d
}

func wantDue(t *testing.T, s drafts.Shelf, after time.Duration, limit int, want ...drafts.Draft) {
	t.Helper()
	got, err := s.Due(t.Context(), base.Add(after), limit)
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("Due after %s: %v\n got %+v\nwant %+v", after, err, got, want)
	}
}

func due(t *testing.T, s drafts.Shelf) {
	a, b, c := scheduled("a", 3*time.Second), scheduled("b", time.Second), scheduled("c", 2*time.Second)
	c.Org = "other"
	for _, d := range []drafts.Draft{a, b, c, draft("open")} {
		must(t, s.Insert(t.Context(), d))
	}
	wantDue(t, s, time.Second-time.Millisecond, 10)
	wantDue(t, s, time.Second, 10, b)
	wantDue(t, s, time.Hour, 10, b, c, a)
	wantDue(t, s, time.Hour, 2, b, c)
	b.State, b.Plan, b.Version = drafts.Open, nil, 2
	must(t, s.Replace(t.Context(), b, 1))
	wantDue(t, s, time.Hour, 10, c, a)
	must(t, s.Delete(t.Context(), "other", "c", 1))
	wantDue(t, s, time.Hour, 10, a)
}

func claimed(t *testing.T, s drafts.Shelf) {
	now, later := scheduled("a", 0), draft("b")
	now.Claim = &drafts.Claim{Until: base.Add(time.Minute), ID: "a", SHA: "bb", After: 2}
	later.Claim = &drafts.Claim{Until: base.Add(2 * time.Minute), ID: "b", SHA: "cc", After: 2}
	must(t, s.Insert(t.Context(), now))
	must(t, s.Insert(t.Context(), later))
	wantDue(t, s, time.Minute-time.Millisecond, 10)
	wantDue(t, s, time.Minute, 10, now)
	wantDue(t, s, time.Hour, 10, now, later)
}

func never(t *testing.T, s drafts.Shelf) {
	for _, state := range drafts.States() {
		if state != drafts.Scheduled {
			d := draft(string(state))
			d.State = state
			must(t, s.Insert(t.Context(), d))
		}
	}
	wantDue(t, s, 1000*time.Hour, 10)
}

func sweep(t *testing.T, s drafts.Shelf) {
	for _, state := range drafts.States() {
		for _, after := range []time.Duration{-time.Millisecond, 0, time.Hour} {
			d := draft(fmt.Sprint(state, after))
			d.State, d.UpdatedAt = state, base.Add(after)
			must(t, s.Insert(t.Context(), d))
		}
	}
	must(t, s.Sweep(t.Context(), base))
	for _, state := range drafts.States() {
		wanted := 3
		if state == drafts.Published {
			wanted = 2
		}
		if p, err := s.List(t.Context(), drafts.Query{Org: "default", State: state, Limit: 10}); err != nil || p.Total != wanted {
			t.Errorf("%s: %d are left, %v, want %d", state, p.Total, err, wanted)
		}
	}
}

func organisations(t *testing.T, s drafts.Shelf) {
	d := draft("a")
	must(t, s.Insert(t.Context(), d))
	_, err := s.Get(t.Context(), "other", "a")
	wantErr(t, "Get", err, drafts.ErrNotFound)
	stranger := d
	stranger.Org, stranger.Version = "other", 2
	wantErr(t, "Replace", s.Replace(t.Context(), stranger, 1), drafts.ErrNotFound)
	want(t, s, d)
}

func ended(t *testing.T, s drafts.Shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := draft("a")
	wantErr(t, "Insert", s.Insert(ctx, d), context.Canceled)
	wantErr(t, "Replace", s.Replace(ctx, d, 1), context.Canceled)
	_, err := s.Get(ctx, "default", "a")
	wantErr(t, "Get", err, context.Canceled)
	wantErr(t, "Delete", s.Delete(ctx, "default", "a", 1), context.Canceled)
	_, err = s.List(ctx, drafts.Query{Org: "default", Limit: 1})
	wantErr(t, "List", err, context.Canceled)
	_, err = s.Due(ctx, base, 1)
	wantErr(t, "Due", err, context.Canceled)
	wantErr(t, "Sweep", s.Sweep(ctx, base), context.Canceled)
	_, err = s.Get(t.Context(), "default", "a")
	wantErr(t, "what a cancelled insert left", err, drafts.ErrNotFound)
}
