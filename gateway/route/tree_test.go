package route

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// naive finds the listen path as the rule is written: of all templates that
// match at segment boundaries the longest, then by the first segment that differs.
func naive(templates map[string]apidef.Template, path string) string {
	segs := strings.Split(strings.Trim(path, "/"), "/")
	if path == "/" {
		segs = nil
	}
	best := ""
	for spelled, t := range templates {
		if len(t.Segments) > len(segs) {
			continue
		}
		ok := true
		for i, s := range t.Segments {
			ok = ok && (s.Kind == apidef.Static && s.Text == segs[i] || s.Kind == apidef.Param || s.Kind == apidef.Regex && s.Regexp.MatchString(segs[i]))
		}
		if ok && (best == "" || better(t, templates[best])) {
			best = spelled
		}
	}
	return best
}

func better(a, b apidef.Template) bool {
	if len(a.Segments) != len(b.Segments) {
		return len(a.Segments) > len(b.Segments)
	}
	for i := range a.Segments {
		if a.Segments[i].Kind != b.Segments[i].Kind {
			return a.Segments[i].Kind < b.Segments[i].Kind
		}
		if a.Segments[i].Kind == apidef.Regex && a.Segments[i].Regexp.String() != b.Segments[i].Regexp.String() {
			return a.Segments[i].Regexp.String() < b.Segments[i].Regexp.String()
		}
	}
	return false
}

func TestSearchAgainstTheRule(t *testing.T) {
	words := []string{"a", "b", "c", "{x}", "{y:[ab]}", "{z:b|c}"}
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		templates := map[string]apidef.Template{}
		canonical := map[string]bool{}
		var root *node[*API]
		for range rnd.IntN(12) + 1 {
			var parts []string
			for i := range rnd.IntN(4) {
				w := words[rnd.IntN(len(words))]
				parts = append(parts, strings.Replace(w, "{", fmt.Sprintf("{p%d", i), 1))
			}
			spelled := "/" + strings.Join(parts, "/")
			tmpl, err := apidef.ParseTemplate(spelled)
			if err != nil {
				t.Fatal(err)
			}
			shape := ""
			for _, s := range tmpl.Segments {
				shape += fmt.Sprint("/", s.Kind, s.Text, s.Regexp)
			}
			if canonical[shape] {
				continue
			}
			canonical[shape] = true
			templates[spelled] = tmpl
			a := &API{template: tmpl}
			a.Facts.ID = spelled
			root = root.edit(tmpl.Segments, func(l []*API) []*API { return placed(l, a, true) })
		}
		for range 60 {
			var parts []string
			for range rnd.IntN(5) {
				parts = append(parts, []string{"a", "b", "c", "d"}[rnd.IntN(4)])
			}
			path := "/" + strings.Join(parts, "/")
			s := search{path: path}
			s.run(root)
			got := ""
			if s.api != nil {
				got = s.api.Facts.ID
			}
			if want := naive(templates, path); got != want {
				t.Fatalf("seed %d: %s found %q, the rule says %q among %v", seed, path, got, want, templates)
			}
		}
		// taking everything out again leaves nothing
		for spelled, tmpl := range templates {
			a := &API{template: tmpl}
			a.Facts.ID = spelled
			root = root.edit(tmpl.Segments, func(l []*API) []*API { return placed(l, a, false) })
		}
		if !root.empty() {
			t.Fatalf("seed %d: an emptied trie still holds something", seed)
		}
	}
}

func TestEditLeavesTheOldTrieAlone(t *testing.T) {
	put := func(n *node[*API], path string, add bool) *node[*API] {
		tmpl, err := apidef.ParseTemplate(path)
		if err != nil {
			t.Fatal(err)
		}
		a := &API{template: tmpl}
		a.Facts.ID = path
		return n.edit(tmpl.Segments, func(l []*API) []*API { return placed(l, a, add) })
	}
	find := func(n *node[*API], path string) string {
		s := search{path: path}
		if s.run(n); s.api == nil {
			return ""
		}
		return s.api.Facts.ID
	}
	one := put(put(put(nil, "/a", true), "/a/{x:b+}", true), "/{p}/c", true)
	two := put(put(one, "/a", false), "/a/b", true)
	for path, want := range map[string]string{"/a": "/a", "/a/b": "/a/{x:b+}", "/q/c/d": "/{p}/c"} {
		if got := find(one, path); got != want {
			t.Errorf("old trie: %s is %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{"/a": "", "/a/b": "/a/b", "/a/bb": "/a/{x:b+}"} {
		if got := find(two, path); got != want {
			t.Errorf("new trie: %s is %q, want %q", path, got, want)
		}
	}
}

func TestPersistentMapAgainstAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	var m pmap[int]
	model := map[string]int{}
	type snapshot struct {
		m     pmap[int]
		model map[string]int
	}
	var kept []snapshot
	for i := range 20_000 {
		k := fmt.Sprint("k", rnd.IntN(3000))
		if rnd.IntN(3) == 0 {
			m = m.without(k)
			delete(model, k)
		} else {
			m = m.with(k, i)
			model[k] = i
		}
		if i%4000 == 0 {
			c := map[string]int{}
			for k, v := range model {
				c[k] = v
			}
			kept = append(kept, snapshot{m, c})
		}
	}
	for _, s := range append(kept, snapshot{m, model}) {
		if s.m.len() != len(s.model) {
			t.Fatalf("len %d, want %d", s.m.len(), len(s.model))
		}
		seen := 0
		for k, v := range s.m.all() {
			if want, ok := s.model[k]; !ok || want != v {
				t.Fatalf("%s = %d, want %d, %v", k, v, want, ok)
			}
			if got, ok := s.m.get(k); !ok || got != v {
				t.Fatalf("get %s = %d, %v", k, got, ok)
			}
			seen++
		}
		if seen != len(s.model) {
			t.Fatalf("all yields %d, want %d", seen, len(s.model))
		}
	}
}
