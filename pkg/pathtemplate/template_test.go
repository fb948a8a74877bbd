package pathtemplate

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestParseSpellsAndMatches(t *testing.T) {
	for _, c := range []struct {
		template, spelled, key string
		match, miss            []string
	}{
		{"/", "/", "/", []string{"/"}, []string{"", "/a", "//"}},
		{"/a", "/a", "/a", []string{"/a"}, []string{"/a/", "/ab", "/A", "/", "a"}},
		{"/a/", "/a/", "/a/", []string{"/a/"}, []string{"/a", "/a/b"}},
		{"/a/{id}", "/a/{id}", "/a/{}", []string{"/a/1", "/a/%2F"}, []string{"/a/", "/a", "/a/1/", "/a/1/2"}},
		{"/{y:[0-9]{4}}/x", "/{y:[0-9]{4}}/x", "/{:[0-9]{4}}/x", []string{"/2026/x"}, []string{"/202/x", "/20261/x", "/x2026/x"}},
		{"/{v:a|b}", "/{v:a|b}", "/{:a|b}", []string{"/a", "/b"}, []string{"/ab", "/xb", "/ax"}},
		{"/{v:[^/]+}", "/{v:[^/]+}", "/{:[^/]+}", []string{"/a"}, []string{"/", "/a/b"}},
		{"/a/{v:.*}", "/a/{v:.*}", "/a/{:.*}", []string{"/a/b"}, []string{"/a/", "/a"}},
		{"/{v:x\\}y}", "/{v:x\\}y}", "/{:x\\}y}", []string{"/x}y"}, []string{"/xy"}},
		{"/admin/**", "/admin/**", "/admin/**", []string{"/admin", "/admin/", "/admin/a", "/admin/a/b/"}, []string{"/adminx", "/"}},
		{"/**", "/**", "/**", []string{"", "/", "/a/b"}, nil},
		{"/%61%2d/%7e", "/a-/~", "/a-/~", []string{"/a-/~"}, []string{"/%61-/~"}},
		{"/주문", "/%EC%A3%BC%EB%AC%B8", "/%EC%A3%BC%EB%AC%B8", []string{"/%EC%A3%BC%EB%AC%B8"}, nil},
		{"/%ec%a3%bc", "/%EC%A3%BC", "/%EC%A3%BC", nil, []string{"/%ec%a3%bc"}},
		{"/a b", "/a%20b", "/a%20b", []string{"/a%20b"}, nil},
		{"/a=1,2:3@x!$&'()+", "/a=1,2:3@x!$&'()+", "/a=1,2:3@x!$&'()+", nil, nil},
		{"/admin", "/admin", "/admin", []string{"/admin;x=1", "/admin;"}, []string{"/adminx;y", "/;admin"}},
		{"/a%7Bb", "/a%7Bb", "/a%7Bb", nil, nil},
		{"/...", "/...", "/...", nil, nil},
	} {
		got, err := Parse(c.template)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if got.String() != c.spelled || got.Key() != c.key {
			t.Errorf("%s: spelled %s, key %s", c.template, got, got.Key())
		}
		for _, path := range c.match {
			if !got.Match(path) {
				t.Errorf("%s does not match %s", c.template, path)
			}
		}
		for _, path := range c.miss {
			if got.Match(path) {
				t.Errorf("%s matches %s", c.template, path)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, path := range []string{
		"", "a", "//", "/a//b", "/a/../b", "/.", "/..", "/%2e%2E/a", "/.%2e", "/..;x", "/.;/a", "/a;v=1", "/a?b", "/a#b", "/a\\b", "/a%5cb", "/a%2fb",
		"/a%00", "/a%0d%0a", "/a\x00", "/a\n", "/%zz", "/%", "/%1", "/%252e", "/a%252Fb", "/a%20", "/a ", "/\xff",
		"/*", "/a/*/b", "/**/a", "/a**", "/{", "/}", "/{}", "/{1a}", "/{a", "/a}", "/x{a}", "/{a}x", "/{a}{b}", "/{a:}", "/{a:(}", "/{a:a)(b}", `/{a:\8}`,
		"/{a}/{a}", "/{a:" + strings.Repeat("x", maxRegexp+1) + "}", "/{a:(x{1000}){1000}}", "/" + strings.Repeat("a", MaxLength), strings.Repeat("/a", maxSegments+1), "/{a b}",
	} {
		if got, err := Parse(path); err == nil {
			t.Errorf("%q was taken as %s", path, got)
		}
	}
}

func TestCompareOrdersByPrecedence(t *testing.T) {
	want := []string{"/a/b/c", "/a/b", "/a/{x}/c", "/a/{x}", "/a/{x:[0-9]+}", "/a/", "/a", "/a/**", "/b", "/{x}/b", "/{x}", "/{x:y}", "/", "/**"}
	got := slices.Clone(want)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, func(a, b string) int { return Compare(mustTemplate(t, a), mustTemplate(t, b)) })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if Compare(mustTemplate(t, "/{x}"), mustTemplate(t, "/{y}")) != 0 {
		t.Error("names of parameters count")
	}
}

func mustTemplate(t *testing.T, path string) Template {
	t.Helper()
	parsed, err := Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestTemplateParams(t *testing.T) {
	got := mustTemplate(t, "/a/{x}/{y:z}/**")
	if !slices.Equal(got.Params(), []string{"x", "y"}) || got.IsLiteral() || !mustTemplate(t, "/a").IsLiteral() {
		t.Error(got.Params())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"/a/{id}", "/{y:[0-9]{4}}/", "/admin/**", "/%61%2d", "/주문", "/{a:\\}", "/..;/a"} {
		f.Add(s, "/a/b")
	}
	f.Fuzz(func(t *testing.T, path, request string) {
		parsed, err := Parse(path)
		if err != nil {
			return
		}
		again, err := Parse(parsed.String())
		if err != nil || again.String() != parsed.String() || again.Key() != parsed.Key() || Compare(parsed, again) != 0 {
			t.Fatalf("%q spells %q, which reads as %q (%v)", path, parsed, again, err)
		}
		if parsed.Match(request) != again.Match(request) {
			t.Fatalf("%q and its spelling differ about %q", path, request)
		}
		if parsed.IsLiteral() && !parsed.Match(parsed.String()) {
			t.Fatalf("%q does not match its own spelling", path)
		}
		for _, s := range strings.Split(parsed.String(), "/") {
			if s == "." || s == ".." {
				t.Fatalf("%q has a dot segment", parsed)
			}
		}
	})
}

// Match agrees with a plain comparison of segments.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"/a/{b}/**", "/", "/**", "/a/", "/%61", "/{x:[a-z]+}/b/c"} {
		f.Add(s, "/a/b/c")
	}
	f.Fuzz(func(t *testing.T, template, path string) {
		p, err := Parse(template)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		segments, rest := p.Segments, false
		if n := len(segments); n > 0 && segments[n-1].Kind == Rest {
			segments, rest = segments[:n-1], true
		}
		parts := strings.Split(path[1:], "/")
		want := len(parts) >= len(segments)
		for i := 0; want && i < len(segments); i++ {
			want = parts[i] != "" && segments[i].Match(parts[i])
		}
		if want && !rest {
			left := parts[len(segments):]
			want = !p.Slash && len(left) == 0 || p.Slash && len(left) == 1 && left[0] == ""
		}
		if got := p.Match(path); got != want {
			t.Fatalf("%q on %q: %v", template, path, got)
		}
	})
}
