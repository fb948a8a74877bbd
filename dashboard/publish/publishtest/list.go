package publishtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// list asks for APIs of the default organisation.
func list(t *testing.T, v publish.Views, q publish.Query) publish.Page {
	t.Helper()
	q.Org, q.Kind = "default", publish.KindAPI
	if q.Limit == 0 {
		q.Limit = 100
	}
	p, err := v.List(t.Context(), q)
	must(t, err)
	return p
}

func ids(p publish.Page) []string {
	var all []string
	for _, o := range p.Items {
		all = append(all, o.ID)
	}
	return all
}

func wantIDs(t *testing.T, what string, p publish.Page, want ...string) {
	t.Helper()
	if got := ids(p); !reflect.DeepEqual(got, want) || p.Total != len(want) {
		t.Errorf("%s: %v of %d, want %v", what, got, p.Total, want)
	}
}

func searchable(id string, rev int64, search ...string) publish.Object {
	o := object(id, rev)
	o.Summary.Search = search
	return o
}

func listSearch(t *testing.T, v publish.Views) {
	apply(t, v,
		searchable("a", 1, "orders api", "/orders/v1", "orders.example.com", "http://10.0.0.1:8080"),
		searchable("b", 2, "주문 조회", "/주문", "결제 팀"),
		searchable("c", 3, "payments", "/pay_ments", "100%"),
		searchable("d", 4, "orders legacy"),
		searchable("e", 5), // nothing to find
	)
	gone := searchable("f", 6, "orders gone")
	other := searchable("g", 7, "orders of others")
	other.Org = "other"
	policy := searchable("h", 8, "orders policy")
	policy.Kind = publish.KindPolicy
	apply(t, v, gone, other, policy, tombstone("f", 9))

	for q, want := range map[string][]string{
		"":                               {"a", "b", "c", "d", "e"},
		"order":                          {"a", "d"},
		"rders a":                        {"a"},
		"/orders/v1":                     {"a"},
		"example":                        {"a"},
		"10.0.0.1":                       {"a"},
		"10x0":                           nil,
		"주문":                             {"b"},
		"문 조":                            {"b"},
		"ㅈ":                              nil,
		"\u110c\u116e\u1106\u116e\u11ab": {"b"}, // 주문 as decomposed letters
		"pay":                            {"c"},
		"pay_":                           {"c"},
		"pay%":                           nil,
		"100%":                           {"c"},
		"s":                              {"a", "c", "d"},
		"apiorders":                      nil, // two texts are not one
		"api/orders":                     nil,
		"api\n/orders":                   nil,
		"api /orders":                    nil,
		"legacy ":                        nil,
		" legacy":                        {"d"},
	} {
		wantIDs(t, fmt.Sprintf("q=%q", q), list(t, v, publish.Query{Q: q}), want...)
	}
	_, err := v.List(t.Context(), publish.Query{Org: "default", Kind: publish.KindAPI, Limit: 1, Q: strings.Repeat("x", page.MaxQuestion+1)})
	if !fault.Is(err, page.CodeQuestion) {
		t.Errorf("a very long question: %v, want %s", err, page.CodeQuestion)
	}
	wantIDs(t, "the longest question", list(t, v, publish.Query{Q: strings.Repeat("(", page.MaxQuestion)}))
}

func listSearchHostile(t *testing.T, v publish.Views) {
	apply(t, v, searchable("plain", 1, "orders", "abc 123"))
	for i, text := range hostile() {
		apply(t, v, searchable(fmt.Sprintf("x-%02d", i), int64(i+2), "<"+strings.ToLower(text)+">"))
	}
	for i, text := range hostile() {
		q := strings.ToLower(text)
		var want []string
		for j, other := range hostile() {
			if strings.Contains("<"+strings.ToLower(other)+">", q) {
				want = append(want, fmt.Sprintf("x-%02d", j))
			}
		}
		if strings.Contains("abc 123", q) {
			want = append([]string{"plain"}, want...)
		}
		if !slices.Contains(want, fmt.Sprintf("x-%02d", i)) {
			t.Fatalf("the test does not want %q to be found", text)
		}
		wantIDs(t, fmt.Sprintf("q=%q", q), list(t, v, publish.Query{Q: q}), want...)
	}
	wantIDs(t, "q=NUL", list(t, v, publish.Query{Q: "o\x00r"}))
	wantIDs(t, "q not UTF-8", list(t, v, publish.Query{Q: "\xff"}))
}

func listFilters(t *testing.T, v publish.Views) {
	for i, c := range []struct {
		id, state string
		tags      []string
	}{
		{"a", "active", []string{"team", "pci"}},
		{"b", "disabled", []string{"team"}},
		{"c", "active", nil},
		{"d", "active", []string{"Team", "te"}},
		{"e", "", []string{"주문", "a,b"}},
	} {
		o := object(c.id, int64(i+1))
		o.Summary.State, o.Summary.Tags = c.state, c.tags
		apply(t, v, o)
	}
	wantIDs(t, "active", list(t, v, publish.Query{State: "active"}), "a", "c", "d")
	wantIDs(t, "disabled", list(t, v, publish.Query{State: "disabled"}), "b")
	wantIDs(t, "unknown state", list(t, v, publish.Query{State: "activ"}))
	wantIDs(t, "tag team", list(t, v, publish.Query{Tag: "team"}), "a", "b")
	wantIDs(t, "tag Team", list(t, v, publish.Query{Tag: "Team"}), "d")
	wantIDs(t, "tag 주문", list(t, v, publish.Query{Tag: "주문"}), "e")
	wantIDs(t, "tag a,b", list(t, v, publish.Query{Tag: "a,b"}), "e")
	wantIDs(t, "tag tea", list(t, v, publish.Query{Tag: "tea"}))
	wantIDs(t, "all together", list(t, v, publish.Query{State: "active", Tag: "team", Q: "a"}), "a")
	wantIDs(t, "no such", list(t, v, publish.Query{State: "disabled", Tag: "pci"}))
	if p, err := v.List(t.Context(), publish.Query{Org: "nobody", Kind: publish.KindAPI, Limit: 1}); p.Total != 0 || p.Next != "" || err != nil {
		t.Errorf("an organisation without APIs: %+v, %v", p, err)
	}
}

func listFiltersHostile(t *testing.T, v publish.Views) {
	for i, text := range hostile() {
		o := object(fmt.Sprintf("x-%02d", i), int64(i+1))
		o.Summary.State, o.Summary.Tags = text, []string{"first", text}
		apply(t, v, o)
	}
	for i, text := range hostile() {
		want := fmt.Sprintf("x-%02d", i)
		wantIDs(t, fmt.Sprintf("state %q", text), list(t, v, publish.Query{State: text}), want)
		wantIDs(t, fmt.Sprintf("tag %q", text), list(t, v, publish.Query{Tag: text}), want)
		if p, err := v.List(t.Context(), publish.Query{Org: text, Kind: publish.KindAPI, Limit: 1}); p.Total != 0 || err != nil {
			t.Errorf("org %q: %d objects, %v", text, p.Total, err)
		}
	}
}

// walk reads all pages of a list.
func walk(t *testing.T, v publish.Views, q publish.Query, between func(page int)) []string {
	t.Helper()
	var all []string
	for n := 1; ; n++ {
		p := list(t, v, q)
		all = append(all, ids(p)...)
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

func listByName(t *testing.T, v publish.Views) {
	names := []string{"zebra", "Alpha", "alpha", "beta 10", "beta 2", "", "주문", "가나", "100%", "a.b$c", "ALPHA", "éclair", strings.Repeat("long", 500), strings.Repeat("long", 500)}
	for i, name := range names {
		o := object(fmt.Sprintf("id-%02d", i), int64(len(names)-i))
		o.Summary.Name = name
		apply(t, v, o)
	}
	want := []string{"id-05", "id-08", "id-09", "id-01", "id-02", "id-10", "id-03", "id-04", "id-12", "id-13", "id-00", "id-11", "id-07", "id-06"}
	for limit := 1; limit <= len(names); limit++ {
		for _, sort := range []string{"", "name"} {
			if got := walk(t, v, publish.Query{Sort: sort, Limit: limit}, nil); !reflect.DeepEqual(got, want) {
				t.Errorf("sort %q by pages of %d: %v, want %v", sort, limit, got, want)
			}
		}
	}
	p := list(t, v, publish.Query{Limit: 3})
	if p.Total != len(names) || list(t, v, publish.Query{Limit: 3, After: p.Next}).Total != len(names) {
		t.Error("the total is not that of all pages")
	}
}

func listByTime(t *testing.T, v publish.Views) {
	var want []string
	for i := range 13 {
		o := object(fmt.Sprintf("id-%02d", i), int64(i+1))
		o.UpdatedAt = base.Add(-time.Duration(i/3) * time.Millisecond) // three of each instant
		apply(t, v, o)
		want = append(want, o.ID)
	}
	ancient := object("ancient", 50)
	ancient.UpdatedAt = time.Time{}
	apply(t, v, ancient)
	want = append(want, "ancient")
	for limit := 1; limit <= len(want); limit++ {
		if got := walk(t, v, publish.Query{Sort: "-updated", Limit: limit}, nil); !reflect.DeepEqual(got, want) {
			t.Errorf("by pages of %d: %v, want %v", limit, got, want)
		}
	}
}

func listStable(t *testing.T, v publish.Views) {
	var want []string
	for i := range 20 {
		o := object(fmt.Sprintf("m-%02d", i), int64(i+1))
		apply(t, v, o)
		want = append(want, o.ID)
	}
	got := walk(t, v, publish.Query{Limit: 5}, func(n int) {
		apply(t, v, object(fmt.Sprintf("a-%02d", n), 100), // before the pages that were read
			tombstone(fmt.Sprintf("m-%02d", 5*n-1), 101)) // the very object that the cursor names
	})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("by name: %v, want %v", got, want)
	}
	var newest []string
	for _, o := range list(t, v, publish.Query{Sort: "-updated"}).Items {
		newest = append(newest, o.ID)
	}
	got = walk(t, v, publish.Query{Sort: "-updated", Limit: 4}, func(n int) {
		apply(t, v, object(fmt.Sprintf("n-%02d", n), int64(200+n)))
	})
	if !reflect.DeepEqual(got, newest) {
		t.Errorf("by time: %v, want %v", got, newest)
	}
}

func listBounds(t *testing.T, v publish.Views) {
	for i := range page.Max + 5 {
		apply(t, v, object(fmt.Sprintf("id-%03d", i), int64(i+1)))
	}
	for limit, want := range map[int]int{-1: 1, 1: 1, page.Max: page.Max, page.Max + 1: page.Max, 1 << 40: page.Max} {
		p := list(t, v, publish.Query{Limit: limit})
		if len(p.Items) != want || p.Next == "" || p.Total != page.Max+5 {
			t.Errorf("a page of %d holds %d of %d, next %q; want %d", limit, len(p.Items), p.Total, p.Next, want)
		}
	}
	p := list(t, v, publish.Query{Limit: page.Max, After: list(t, v, publish.Query{Limit: page.Max}).Next})
	if len(p.Items) != 5 || p.Next != "" {
		t.Errorf("the last page holds %d, next %q", len(p.Items), p.Next)
	}
}

func listCursors(t *testing.T, v publish.Views) {
	apply(t, v, object("a", 1), object("b", 2), object("c", 3))
	byName := list(t, v, publish.Query{Limit: 1}).Next
	for what, q := range map[string]publish.Query{
		"an invented one":         {After: "x"},
		"an operator":             {After: `{"$gt":""}`},
		"one of another order":    {After: byName, Sort: "-updated"},
		"one that was cut short":  {After: byName[:len(byName)-3]},
		"one with something more": {After: byName + "AAAA"},
	} {
		q.Org, q.Kind, q.Limit = "default", publish.KindAPI, 1
		if p, err := v.List(t.Context(), q); !fault.Is(err, page.CodeCursor) {
			t.Errorf("%s: %+v, %v, want %s", what, p, err, page.CodeCursor)
		}
	}
}
