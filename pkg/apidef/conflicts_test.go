package apidef

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// api makes a definition from "id path [domains] [groups] [flags]", each part
// after the path being d:a,b or g:a,b or exact or disabled.
func api(spec string) *Definition {
	words := strings.Fields(spec)
	d := &Definition{ID: words[0], Name: strings.ToUpper(words[0]), Listen: Listen{Path: words[1]}}
	for _, w := range words[2:] {
		switch {
		case strings.HasPrefix(w, "d:"):
			d.Listen.Domains = strings.Split(w[2:], ",")
		case strings.HasPrefix(w, "g:"):
			d.Groups = strings.Split(w[2:], ",")
		case w == "exact":
			d.Listen.Match = Exact
		case w == "disabled":
			d.State = Disabled
		}
	}
	return d
}

func TestConflicts(t *testing.T) {
	for _, c := range []struct {
		name string
		have []string
		new  string
		want []string
	}{
		{"free", []string{"a /a"}, "b /b", nil},
		{"itself", []string{"a /a"}, "a /a/", nil},
		{"taken", []string{"a /a"}, "b /a/", []string{"taken a"}},
		{"taken by a disabled one", []string{"a /a disabled"}, "b /a", []string{"taken a"}},
		{"taken, exact or not", []string{"a /a exact"}, "b /a", []string{"taken a"}},
		{"taken with another name of the parameter", []string{"a /{x}/b"}, "b /{y}/b", []string{"taken a"}},
		{"taken with the same expression", []string{"a /{x:[0-9]}"}, "b /{y:[0-9]}", []string{"taken a"}},
		{"taken in another spelling", []string{"a /%61-b"}, "b /a%2db", []string{"taken a"}},
		{"other domain", []string{"a /a d:x.example"}, "b /a d:y.example", nil},
		{"any host and one", []string{"a /a"}, "b /a d:y.example", nil},
		{"one domain in common", []string{"a /a d:x.example,y.example"}, "b /a d:Y.example.,z.example", []string{"taken a"}},
		{"wildcard and name", []string{"a /a d:*.example"}, "b /a d:x.example", nil},
		{"other group", []string{"a /a g:one"}, "b /a g:two", nil},
		{"group in common", []string{"a /a g:one,two"}, "b /a g:two,three", []string{"taken a"}},
		{"every group", []string{"a /a g:one"}, "b /a", []string{"taken a"}},
		{"second of two groups", []string{"a /a g:one", "b /a g:two"}, "c /a g:two", []string{"taken b"}},
		{"nested plain paths", []string{"a /", "b /a/b"}, "c /a", nil},
		{"nested below a parameter", []string{"a /{t}"}, "b /{x}/orders", nil},
		{"plain beside a parameter", []string{"a /{t}"}, "b /acme", []string{"this a /acme"}},
		{"parameter beside plain", []string{"a /acme"}, "b /{t}", []string{"other a /acme"}},
		{"expression that matches", []string{"a /{t:ac.*}"}, "b /acme", []string{"this a /acme"}},
		{"expression that does not match", []string{"a /{t:[0-9]+}"}, "b /acme", nil},
		{"expression below a parameter", []string{"a /{t}"}, "b /{t:[0-9]+}", []string{"other a /{t:[0-9]+} complete"}},
		{"two expressions", []string{"a /{t:a.*}"}, "b /{t:.*b}", []string{"this a /{t:.*b}"}},
		{"longer and apart", []string{"a /{t}/orders"}, "b /acme", []string{"other a /acme/orders"}},
		{"shorter and apart", []string{"a /acme"}, "b /{t}/orders", []string{"this a /acme/orders"}},
		{"longer, but exact", []string{"a /{t}/orders"}, "b /acme exact", nil},
		{"shorter, but exact", []string{"a /acme exact"}, "b /{t}/orders", nil},
		{"disabled shadows nothing", []string{"a /{t} disabled"}, "b /acme", nil},
		{"other group shadows nothing", []string{"a /{t} g:one"}, "b /acme g:two", nil},
		{"deep below", []string{"a /acme/x/y", "b /acme/z"}, "c /{t}", []string{"other a /acme/x/y", "other b /acme/z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := NewIndex()
			for i, spec := range c.have {
				x.Put("org", int64(i), api(spec))
			}
			var got []string
			for _, p := range x.Conflicts("org", api(c.new)) {
				switch p.Code {
				case CodePathTaken:
					got = append(got, fmt.Sprint("taken ", p.Params["id"]))
				case CodePathShadowed:
					line := fmt.Sprint(p.Params["winner"], " ", p.Params["id"], " ", p.Params["example"])
					if p.Params["complete"] == true {
						line += " complete"
					}
					got = append(got, line)
				}
				if p.Path != "/listen/path" || !strings.Contains(p.Message, p.Params["name"].(string)) || (p.Severity == fault.Error) != (p.Code == CodePathTaken) {
					t.Errorf("incomplete: %+v", p)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestConflictsAcrossOrganisationsNameNobody(t *testing.T) {
	x := NewIndex()
	x.Put("one", 1, api("secret-project /a d:a.example"))
	got := x.Conflicts("two", api("secret-project /a d:a.example"))
	if len(got) != 1 || got[0].Code != CodePathTaken || got[0].Params["id"] != nil || strings.Contains(strings.ToLower(got[0].Message), "secret") {
		t.Fatalf("%+v", got)
	}
	if got[0].Params["domain"] != "a.example" || got[0].Params["path"] != "/a" {
		t.Errorf("%+v", got[0].Params)
	}
}

func TestIndexFollowsChanges(t *testing.T) {
	x := NewIndex()
	x.Put("o", 5, api("a /a"))
	x.Put("o", 4, api("a /old"))
	if len(x.Conflicts("o", api("b /a"))) != 1 || len(x.Conflicts("o", api("b /old"))) != 0 {
		t.Error("an older revision won")
	}
	x.Put("o", 6, api("a /b d:x.y"))
	if len(x.Conflicts("o", api("b /a"))) != 0 || len(x.Conflicts("o", api("b /b d:x.y"))) != 1 {
		t.Error("the move was not followed")
	}
	if got := x.Conflicts("o", api("b /b d:x.y")); got[0].Params["name"] != "A" {
		t.Error(got)
	}
	x.Delete("o", "a")
	x.Delete("o", "a")
	if len(x.Conflicts("o", api("b /b d:x.y"))) != 0 || x.Len() != 0 || len(x.roots) != 0 {
		t.Error("something stays after deletion")
	}
}

func TestANewDefinitionWithoutIDClashesWithItsLike(t *testing.T) {
	x := NewIndex()
	x.Put("o", 1, &Definition{Name: "A", Listen: Listen{Path: "/a"}})
	if len(x.Conflicts("o", &Definition{Name: "B", Listen: Listen{Path: "/a"}})) != 1 {
		t.Error("taken for itself")
	}
}

func TestShadowedEndpoints(t *testing.T) {
	for _, c := range []struct {
		endpoints []Endpoint
		want      int
	}{
		{[]Endpoint{{Path: "/{a}"}, {Path: "/{b:[0-9]+}"}}, 1},
		{[]Endpoint{{Path: "/{b:[0-9]+}"}, {Path: "/{a}"}}, 1},
		{[]Endpoint{{Path: "/{a}", Methods: []string{"GET", "PUT"}}, {Path: "/{b:[0-9]+}", Methods: []string{"GET"}}}, 1},
		{[]Endpoint{{Path: "/{a}", Methods: []string{"GET"}}, {Path: "/{b:[0-9]+}"}}, 0},
		{[]Endpoint{{Path: "/{a}/x"}, {Path: "/{b:[0-9]+}"}}, 0},
		{[]Endpoint{{Path: "/{a}/{c:z}"}, {Path: "/{b:[0-9]+}/{c:z}"}}, 1},
		{[]Endpoint{{Path: "/a"}, {Path: "/{b:[a-z]}"}}, 0},
	} {
		got := NewIndex().Conflicts("o", &Definition{Listen: Listen{Path: "/"}, Endpoints: c.endpoints})
		if len(got) != c.want || c.want == 1 && (got[0].Code != CodeEndpointShadowed || got[0].Severity != fault.Warning) {
			t.Errorf("%v: %+v", c.endpoints, got)
		}
	}
}

func TestAvailability(t *testing.T) {
	x := NewIndex()
	x.Put("o", 1, api("a /a d:x.example"))
	for _, c := range []struct {
		domain, path, except string
		available            bool
		problems             int
	}{
		{"x.example", "/a/", "", false, 1},
		{"X.example.", "/a", "a", true, 0},
		{"", "/a", "", true, 0},
		{"x.example", "bad", "", false, 1},
		{"x.example:80", "/q", "", false, 1},
		{"x.example", "/{p}", "", true, 1},
	} {
		got := x.Availability("o", c.domain, c.path, nil, c.except)
		if got.Available != c.available || len(got.Problems) != c.problems {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if got := x.Availability("o", "X.Example", "/a%2d/", nil, ""); got.Path != "/a-" || got.Domain != "x.example" {
		t.Errorf("%+v", got)
	}
}

// filled has apis definitions with ten endpoints each.
func filled(apis int) *Index {
	x := NewIndex()
	for i := range apis {
		d := &Definition{ID: fmt.Sprint("api-", i), Name: fmt.Sprint("API ", i), Listen: Listen{Path: fmt.Sprintf("/team-%d/service-%d/", i%100, i)}}
		if i%2 == 0 {
			d.Listen.Domains = []string{fmt.Sprintf("t%d.example.com", i%50), "api.example.com"}
		}
		if i%10 == 0 {
			d.Listen.Path = fmt.Sprintf("/{tenant}/service-%d/{version:v[0-9]+}", i)
		}
		for j := range 10 {
			d.Endpoints = append(d.Endpoints, Endpoint{Methods: []string{"GET"}, Path: fmt.Sprintf("/things-%d/{id}", j)})
		}
		x.Put("org", int64(i), d)
	}
	return x
}

// wide is a definition that many others of filled overlap, with 1000 endpoints, 50 of them with an expression.
func wide() *Definition {
	d := &Definition{ID: "new", Name: "New", Listen: Listen{Path: "/{any}/{thing:serv.*}", Domains: []string{"api.example.com", "t4.example.com"}}}
	for j := range 1000 {
		path := fmt.Sprintf("/things-%d/{id}", j)
		if j%20 == 0 {
			path = fmt.Sprintf("/things-%d/{id:[0-9]+}", j)
		}
		d.Endpoints = append(d.Endpoints, Endpoint{Methods: []string{"GET"}, Path: path})
	}
	return d
}

func TestConflictsAreQuickAt200000Endpoints(t *testing.T) {
	x := filled(20_000)
	d := wide()
	best := time.Hour
	for range 20 {
		start := time.Now()
		x.Conflicts("org", d)
		best = min(best, time.Since(start))
	}
	if limit := 20 * time.Millisecond * raceFactor; best > limit {
		t.Errorf("took %s, more than %s", best, limit)
	}
}

func BenchmarkConflicts(b *testing.B) {
	for _, apis := range []int{20_000, 200_000} {
		x := filled(apis)
		for name, d := range map[string]*Definition{"plain": api("new /team-7/service-new d:api.example.com"), "wide": wide(), "regexp": api("new /{a:team-.*}/{b:nothing} d:api.example.com")} {
			b.Run(fmt.Sprintf("%s/endpoints=%d", name, apis*10), func(b *testing.B) {
				for b.Loop() {
					x.Conflicts("org", d)
				}
			})
		}
	}
}
