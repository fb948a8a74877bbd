package keytest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/keys"
	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

func list(t *testing.T, s keys.Store, q keys.Query) keys.Page {
	t.Helper()
	q.Org = "default"
	if q.Limit == 0 {
		q.Limit = 100
	}
	p, err := s.List(t.Context(), q)
	must(t, err)
	return p
}

func ids(all []keys.Stored) []string {
	var names []string
	for _, k := range all {
		names = append(names, k.Key.ID)
	}
	return names
}

func wantIDs(t *testing.T, what string, p keys.Page, want ...string) {
	t.Helper()
	if got := ids(p.Items); !reflect.DeepEqual(got, want) || p.Total != len(want) {
		t.Errorf("%s: %v of %d, want %v", what, got, p.Total, want)
	}
}

// walk reads all pages of a list.
func walk(t *testing.T, s keys.Store, q keys.Query, between func(page int)) []string {
	t.Helper()
	var all []string
	for n := 1; ; n++ {
		p := list(t, s, q)
		all = append(all, ids(p.Items)...)
		if p.Next == "" {
			return all
		}
		if len(p.Items) != q.Limit || n > 1000 {
			t.Fatalf("page %d holds %d of %d, and another follows", n, len(p.Items), q.Limit)
		}
		q.After = p.Next
		if between != nil {
			between(n)
		}
	}
}

func pages(t *testing.T, s keys.Store) {
	var want []string
	for i := 14; i >= 0; i-- {
		k := key(fmt.Sprintf("k-%02d", i), i/3) // three of each instant
		insert(t, s, k)
		want = append(want, k.Key.ID)
	}
	foreign := key("foreign", 99)
	foreign.Key.Org = "other"
	insert(t, s, foreign)
	for limit := 1; limit <= len(want)+1; limit++ {
		if got := walk(t, s, keys.Query{Limit: limit}, nil); !reflect.DeepEqual(got, want) {
			t.Errorf("by pages of %d: %v, want %v", limit, got, want)
		}
	}
	first := list(t, s, keys.Query{Limit: 4})
	if second := list(t, s, keys.Query{Limit: 4, After: first.Next}); first.Total != 15 || second.Total != 15 {
		t.Errorf("totals %d and %d, want 15", first.Total, second.Total)
	}
	if p, err := s.List(t.Context(), keys.Query{Org: "nobody", Limit: 1}); p.Total != 0 || p.Next != "" || err != nil {
		t.Errorf("an organisation without keys: %+v, %v", p, err)
	}
}

func stablePages(t *testing.T, s keys.Store) {
	var want []string
	for i := 19; i >= 0; i-- {
		insert(t, s, key(fmt.Sprintf("k-%02d", i), i))
		want = append(want, fmt.Sprintf("k-%02d", i))
	}
	got := walk(t, s, keys.Query{Limit: 5}, func(n int) {
		insert(t, s, key(fmt.Sprintf("new-%02d", n), 100+n))
		k, err := s.Get(t.Context(), "default", want[5*n-1]) // the very key that the cursor names
		must(t, err)
		k.Key.Version, k.Key.UpdatedAt = 2, base.Add(time.Hour)
		must(t, s.Replace(t.Context(), k, 1))
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pages gave %v, want %v", got, want)
	}
}

func bounds(t *testing.T, s keys.Store) {
	for i := range page.Max + 5 {
		insert(t, s, key(fmt.Sprintf("k-%03d", i), i))
	}
	for limit, want := range map[int]int{-1: 1, 1: 1, page.Max: page.Max, page.Max + 1: page.Max, 1 << 40: page.Max} {
		p := list(t, s, keys.Query{Limit: limit})
		if len(p.Items) != want || p.Next == "" || p.Total != page.Max+5 {
			t.Errorf("a page of %d holds %d of %d, next %q; want %d", limit, len(p.Items), p.Total, p.Next, want)
		}
	}
	for _, limit := range []int{0, -1} {
		if got, err := s.Changed(t.Context(), base, "", limit); len(got) != 0 || err != nil {
			t.Errorf("Changed with the limit %d: %d keys, %v", limit, len(got), err)
		}
	}
}

func cursors(t *testing.T, s keys.Store) {
	insert(t, s, key("a", 1), key("b", 2), key("c", 3))
	next := list(t, s, keys.Query{Limit: 1}).Next
	for _, after := range []string{"x", `{"$gt":""}`, next[:len(next)-3], page.Cursor{Sort: "name", Key: "a", ID: "a"}.Encode()} {
		if p, err := s.List(t.Context(), keys.Query{Org: "default", Limit: 1, After: after}); !fault.Is(err, page.CodeCursor) {
			t.Errorf("cursor %q: %+v, %v, want %s", after, p, err, page.CodeCursor)
		}
	}
}

func search(t *testing.T, s keys.Store) {
	for i, c := range []struct{ id, alias, owner, prefix string }{
		{"k_Abc", "Mobile App", "kim@example.com", "slc_7Fq2"},
		{"k_def", "주문 앱", "김하나", "slc_Mob1"},
		{"k_ghi", "100% batch_job", "", "slc_zzzz"},
	} {
		k := key(c.id, i)
		k.Key.Alias, k.Key.Owner, k.Key.Prefix = c.alias, c.owner, c.prefix
		k.Key.Metadata, k.Key.Tags = map[string]string{"hidden": "unfindable"}, []string{"unfindable"}
		insert(t, s, k)
	}
	for q, want := range map[string][]string{
		"":                {"k_ghi", "k_def", "k_Abc"},
		"mob":             {"k_def", "k_Abc"},
		"mobile app":      {"k_Abc"},
		"kim@example.com": {"k_Abc"},
		"kim@example_com": nil,
		"7fq2":            {"k_Abc"},
		"k_abc":           {"k_Abc"},
		"k_":              {"k_ghi", "k_def", "k_Abc"},
		"주문":              {"k_def"},
		"하나":              {"k_def"},
		"100%":            {"k_ghi"},
		"1%":              nil,
		"h_j":             {"k_ghi"},
		"h.j":             nil,
		"unfindable":      nil,
		"hash of":         nil, // what a key is checked by cannot be searched
		"appkim":          nil,
		"app\nkim":        nil,
	} {
		wantIDs(t, fmt.Sprintf("q=%q", q), list(t, s, keys.Query{Q: q}), want...)
	}
	_, err := s.List(t.Context(), keys.Query{Org: "default", Limit: 1, Q: strings.Repeat("x", page.MaxQuestion+1)})
	if !fault.Is(err, page.CodeQuestion) {
		t.Errorf("a very long question: %v, want %s", err, page.CodeQuestion)
	}
}

func searchHostile(t *testing.T, s keys.Store) {
	for i, text := range hostile() {
		k := key(fmt.Sprintf("x-%02d", i), -i) // older and older: a list has them in this order
		k.Key.Alias, k.Key.Prefix = "<"+strings.ToLower(text)+">", "slc-"
		k.Key.Policies, k.Key.Rights = []string{"p" + text}, []access.Right{{API: "a" + text}}
		insert(t, s, k)
	}
	for i, text := range hostile() {
		id := fmt.Sprintf("x-%02d", i)
		q := "<" + strings.ToLower(text) + ">"
		wantIDs(t, "q="+q, list(t, s, keys.Query{Q: q}), id)
		wantIDs(t, "policy p"+text, list(t, s, keys.Query{Policy: "p" + text}), id)
		wantIDs(t, "API a"+text, list(t, s, keys.Query{API: "a" + text}), id)
		wantIDs(t, "policy "+text, list(t, s, keys.Query{Policy: text}))
		wantIDs(t, "state "+text, list(t, s, keys.Query{State: access.KeyState(text)}))
		if p, err := s.List(t.Context(), keys.Query{Org: text, Limit: 1}); p.Total != 0 || err != nil {
			t.Errorf("org %q: %d keys, %v", text, p.Total, err)
		}
	}
}

func filters(t *testing.T, s keys.Store) {
	for i, c := range []struct {
		id       string
		state    access.KeyState
		policies []string
		apis     []string
	}{
		{"a", access.KeyActive, []string{"gold", "silver"}, []string{"orders", "payments"}},
		{"b", access.KeySuspended, []string{"gold"}, nil},
		{"c", access.KeyRevoked, nil, []string{"orders-v2"}},
		{"d", access.KeyActive, []string{"Gold"}, []string{"*"}},
	} {
		k := key(c.id, -i)
		k.Key.State, k.Key.Policies = c.state, c.policies
		for _, api := range c.apis {
			k.Key.Rights = append(k.Key.Rights, access.Right{API: api})
		}
		insert(t, s, k)
	}
	wantIDs(t, "active", list(t, s, keys.Query{State: access.KeyActive}), "a", "d")
	wantIDs(t, "revoked", list(t, s, keys.Query{State: access.KeyRevoked}), "c")
	wantIDs(t, "policy gold", list(t, s, keys.Query{Policy: "gold"}), "a", "b")
	wantIDs(t, "policy gol", list(t, s, keys.Query{Policy: "gol"}))
	// A right to every API is a right to this one.
	wantIDs(t, "API orders", list(t, s, keys.Query{API: "orders"}), "a", "d")
	wantIDs(t, "API orders-v2", list(t, s, keys.Query{API: "orders-v2"}), "c", "d")
	wantIDs(t, "all together", list(t, s, keys.Query{State: access.KeyActive, Policy: "gold", API: "payments", Q: "alias"}), "a")
	wantIDs(t, "no such", list(t, s, keys.Query{State: access.KeySuspended, API: "orders"}))
	// A filter follows a change.
	k, err := s.Get(t.Context(), "default", "b")
	must(t, err)
	k.Key.Version, k.Key.State, k.Key.Policies = 2, access.KeyActive, []string{"silver"}
	k.Key.Rights, k.Key.Alias = []access.Right{{API: "orders"}}, "renamed"
	must(t, s.Replace(t.Context(), k, 1))
	wantIDs(t, "policy gold after the change", list(t, s, keys.Query{Policy: "gold"}), "a")
	wantIDs(t, "API orders after the change", list(t, s, keys.Query{API: "orders", Q: "renamed"}), "b")
	wantIDs(t, "suspended after the change", list(t, s, keys.Query{State: access.KeySuspended}))
}

// followed reads what changed as a projection does: the next call begins behind the
// last key, by its UpdatedAt and its id.
func followed(t *testing.T, s keys.Store, since time.Time, limit int) []string {
	t.Helper()
	var all []string
	after := ""
	for {
		got, err := s.Changed(t.Context(), since, after, limit)
		must(t, err)
		all = append(all, ids(got)...)
		if len(got) < limit {
			return all
		}
		last := got[len(got)-1].Key
		since, after = last.UpdatedAt, last.ID
		if len(all) > 1000 {
			t.Fatal("Changed does not end")
		}
	}
}

func changed(t *testing.T, s keys.Store) {
	var want []string
	for i := range 20 {
		k := key(fmt.Sprintf("k-%02d", i), 0)
		k.Key.UpdatedAt = base.Add(time.Duration(i/4) * time.Millisecond) // four of each instant
		if i%3 == 0 {
			k.Key.Org, k.Key.State = "other", access.KeyRevoked // every organisation, every state
		}
		want = append(want, k.Key.ID)
		insert(t, s, k)
	}
	for limit := 1; limit <= 21; limit++ {
		if got := followed(t, s, time.Time{}, limit); !reflect.DeepEqual(got, want) {
			t.Errorf("by %d: %v, want %v", limit, got, want)
		}
	}
	if got := followed(t, s, base.Add(2*time.Millisecond), 3); !reflect.DeepEqual(got, want[8:]) {
		t.Errorf("since an instant: %v, want %v", got, want[8:])
	}
	if got := followed(t, s, base.Add(2*time.Millisecond+999), 3); !reflect.DeepEqual(got, want[8:]) {
		t.Errorf("a fraction of a millisecond must not hide keys of the same one: %v, want %v", got, want[8:])
	}
	if got := followed(t, s, base.Add(time.Hour), 3); got != nil {
		t.Errorf("since later: %v", got)
	}
}

func follow(t *testing.T, s keys.Store) {
	insert(t, s, key("a", 0), key("b", 1), key("c", 2))
	a := key("a", 0)
	a.Key.Version, a.Key.UpdatedAt = 2, base.Add(time.Minute)
	must(t, s.Replace(t.Context(), a, 1))
	if got, want := followed(t, s, base, 2), []string{"b", "c", "a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("after a change: %v, want %v", got, want)
	}
	got, err := s.Changed(t.Context(), base.Add(time.Minute), "", 10)
	must(t, err)
	if len(got) != 1 || !reflect.DeepEqual(got[0], a) {
		t.Errorf("Changed gave %+v, want %+v", got, a)
	}
}
