package apidef

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// guarded is api with a word more: closed, open, anonymous, or part (closed with an
// open endpoint).
func guarded(spec string) *Definition {
	d := api(spec)
	auth := map[string]string{"closed": `{"any":[{"key":{}}]}`, "part": `{"all":[{"key":{}}]}`, "open": `{"open":true}`, "anonymous": `{"any":[{"key":{}}],"anonymous":true}`}
	for _, w := range strings.Fields(spec) {
		if text, ok := auth[w]; ok {
			d.Filters = Filters{"auth": json.RawMessage(text)}
		}
		if w == "part" {
			d.Endpoints = []Endpoint{{Path: "/x", Filters: Filters{"auth": json.RawMessage(`"off"`)}}}
		}
	}
	return d
}

func TestOpenRoutesIntoProtectedPrefixes(t *testing.T) {
	for _, c := range []struct {
		name string
		have string
		new  string
		want string // which of them lets everybody in; "" is no warning
	}{
		{"an open API below a closed one", "a /shop closed", "b /shop/public open", "this"},
		{"a closed API above an open one", "a /shop/public open", "b /shop closed", "other"},
		{"deep below", "a /shop closed", "b /shop/x/y/z open", "this"},
		{"an open endpoint", "a /shop closed", "b /shop/public part", "this"},
		{"anonymous callers", "a /shop closed", "b /shop/public anonymous", "this"},
		{"below a parameter", "a /{tenant} closed", "b /{t}/public open", "this"},
		{"plain instead of a parameter", "a /{tenant} closed", "b /acme/x open", "this"},
		{"the root", "a / closed", "b /public open", "this"},
		{"both closed", "a /shop closed", "b /shop/more closed", ""},
		{"both open", "a /shop open", "b /shop/more open", ""},
		{"closed below open", "a /shop open", "b /shop/admin closed", ""},
		{"open above closed", "a /shop/admin closed", "b /shop open", ""},
		{"beside", "a /shop closed", "b /shopping open", ""},
		{"an exact path protects nothing below", "a /shop closed exact", "b /shop/public open", ""},
		{"another domain", "a /shop closed d:x.example", "b /shop/public open d:y.example", ""},
		{"another group", "a /shop closed g:one", "b /shop/public open g:two", ""},
		{"disabled", "a /shop closed disabled", "b /shop/public open", ""},
		{"undecided", "a /shop closed", "b /shop/public", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := NewIndex()
			x.Put("org", 1, guarded(c.have))
			got := ""
			for _, p := range x.Conflicts("org", guarded(c.new)) {
				if p.Code != CodePrefixOpened {
					continue
				}
				got = p.Params["open"].(string)
				if p.Severity != fault.Warning || p.Params["id"] != "a" || p.Params["name"] != "A" || !strings.Contains(p.Message, `"A"`) {
					t.Errorf("%+v", p)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	x := NewIndex()
	x.Put("one", 1, guarded("secret-project /a closed"))
	got := x.Conflicts("two", guarded("b /a/b open"))
	if len(got) != 1 || got[0].Params["name"] != nil || strings.Contains(strings.ToLower(got[0].Message), "secret") {
		t.Errorf("across organisations: %+v", got)
	}
}

// TestABranchIsWhatItsChangesLeadTo compares branches with indexes to which the same
// changes were made.
func TestABranchIsWhatItsChangesLeadTo(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 11))
	paths := []string{"/a", "/a/b", "/{p}", "/{p:[a-c]}", "/b", "/a/{p}", "/"}
	some := func(n int64) *Definition {
		access := []string{"open", "closed", "part"}[r.IntN(3)]
		return guarded(fmt.Sprintf("api-%d %s %s d:%s", r.IntN(6), paths[r.IntN(len(paths))], access, []string{"x.example", "y.example", "x.example,y.example"}[r.IntN(3)]))
	}
	for round := range 300 {
		base, made := NewIndex(), NewIndex()
		for n := range int64(8) {
			d := some(n)
			base.Put("o", n, d)
			made.Put("o", n, d)
		}
		before := len(base.Conflicts("o", guarded("new /{p}/{q} closed d:x.example")))
		branch := base.Branch()
		for n := range int64(4) {
			d := some(n)
			branch.Delete("o", d.ID)
			made.Delete("o", d.ID)
			if r.IntN(3) > 0 {
				branch.Put("o", 100+n, d)
				made.Put("o", 100+n, d)
			}
		}
		asked := some(0)
		got, want := lines(branch.Conflicts("o", asked)), lines(made.Conflicts("o", asked))
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: got\n%s\nwant\n%s", round, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(base.Conflicts("o", guarded("new /{p}/{q} closed d:x.example"))) != before {
			t.Fatal("the branch changed what it grows on")
		}
	}
}

// lines are problems in an order of their own; of several that have a path taken any
// may be named, and of domains that two APIs share any.
func lines(ps []fault.Problem) []string {
	var out []string
	for _, p := range ps {
		if p.Code == CodePathTaken {
			out = append(out, fmt.Sprint(p.Code, p.Params["domain"]))
			continue
		}
		out = append(out, fmt.Sprint(p.Code, p.Params["id"], p.Message))
	}
	slices.Sort(out)
	return out
}
