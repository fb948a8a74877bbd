package apidef

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/pathtemplate"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// The codes of what two definitions, or two endpoints of one, may not share.
const (
	// CodePathTaken is an error: params id, name, domain, path of the other API;
	// id and name are absent where it belongs to another organisation.
	CodePathTaken fault.Code = "api.path_taken"
	// CodePathShadowed is a warning: params id, name, domain, path of the other
	// API, example (a path that both match), winner ("this" or "other"), and
	// complete (whether no request reaches the loser).
	CodePathShadowed fault.Code = "api.path_shadowed"
	// CodeEndpointShadowed is a warning: params other (index of the endpoint that
	// takes every request).
	CodeEndpointShadowed fault.Code = "api.endpoint_shadowed"
)

// Bounds of the search for shadowed paths, which only finds warnings.
const (
	maxShadows = 20     // reported, in the order of names
	maxFound   = 1000   // collected before the search ends
	maxVisits  = 50_000 // places of the index looked at
)

// Index knows the listen paths of all definitions of all organisations and
// answers which of them another one clashes with, in time that does not grow
// with their number. It is safe for concurrent use; the zero value is not usable.
type Index struct {
	mu      sync.RWMutex
	entries map[owner]*entry
	roots   map[string]*place // by domain; "" is any host
	below   *Index            // of a branch: what it shows beside its own
	hidden  map[owner]bool    // of a branch: what it does not show of that
}

type owner struct{ org, id string }

// entry is what the index keeps of a definition.
type entry struct {
	owner
	rev      int64
	name     string
	path     string // as written
	disabled bool
	exact    bool
	closed   bool // callers need a credential
	opens    bool // some routes let everybody in
	groups   []string
	domains  []string
	template Template
}

// place is a node of the tree of listen paths of one domain.
type place struct {
	static  map[string]*place
	dynamic []*branch // {param} and {param:regex}, one per key
	entries []*entry
}

type branch struct {
	segment Segment
	below   *place
}

// NewIndex makes an empty index.
func NewIndex() *Index {
	return &Index{entries: map[owner]*entry{}, roots: map[string]*place{}}
}

// Len is the number of definitions in the index.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.entries)
}

// Put adds or replaces a definition, disabled ones too: they reserve their
// path. An older revision than the one it holds changes nothing. A definition
// whose listen path is not valid is known by none of its paths.
func (x *Index) Put(org string, rev int64, d *Definition) {
	e := newEntry(org, d)
	e.rev = rev
	x.mu.Lock()
	defer x.mu.Unlock()
	if old := x.entries[e.owner]; old != nil {
		if old.rev > rev {
			return
		}
		x.remove(old)
	}
	x.entries[e.owner] = e
	x.hide(e.owner)
	for _, domain := range e.domains {
		if x.roots[domain] == nil {
			x.roots[domain] = &place{}
		}
		x.roots[domain].insert(e)
	}
}

// Delete forgets a definition; one that is not known is no error.
func (x *Index) Delete(org, id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.hide(owner{org, id})
	if old := x.entries[owner{org, id}]; old != nil {
		x.remove(old)
	}
}

func (x *Index) remove(e *entry) {
	delete(x.entries, e.owner)
	for _, domain := range e.domains {
		if root := x.roots[domain]; root != nil && root.remove(e, 0) {
			delete(x.roots, domain)
		}
	}
}

func newEntry(org string, d *Definition) *entry {
	e := &entry{
		owner: owner{org, d.ID}, name: d.Name, path: d.Listen.Path, disabled: !d.IsActive(),
		exact: d.Listen.Match.OrDefault() == Exact, groups: slices.Clone(d.Groups),
	}
	e.closed, e.opens = access(d)
	t, err := ParseListenPath(d.Listen.Path)
	if err != nil {
		return e
	}
	e.template = t
	if len(d.Listen.Domains) == 0 {
		e.domains = []string{""}
	}
	for _, domain := range d.Listen.Domains {
		if normal, err := NormalizeDomain(domain); err == nil && !slices.Contains(e.domains, normal) {
			e.domains = append(e.domains, normal)
		}
	}
	return e
}

func (p *place) insert(e *entry) {
	for _, s := range e.template.Segments {
		p = p.child(s, true)
	}
	p.entries = append(p.entries, e)
}

// child finds the place below a segment, or makes it.
func (p *place) child(s Segment, create bool) *place {
	if s.Kind == pathtemplate.Static {
		below := p.static[s.Text]
		if below == nil && create {
			if p.static == nil {
				p.static = map[string]*place{}
			}
			below = &place{}
			p.static[s.Text] = below
		}
		return below
	}
	for _, b := range p.dynamic {
		if pathtemplate.SameSegment(b.segment, s) {
			return b.below
		}
	}
	if !create {
		return nil
	}
	b := &branch{s, &place{}}
	p.dynamic = append(p.dynamic, b)
	return b.below
}

// remove takes e out and tells whether the place is empty then.
func (p *place) remove(e *entry, depth int) bool {
	if depth == len(e.template.Segments) {
		p.entries = slices.DeleteFunc(p.entries, func(o *entry) bool { return o == e })
	} else if s := e.template.Segments[depth]; s.Kind == pathtemplate.Static {
		if below := p.static[s.Text]; below != nil && below.remove(e, depth+1) {
			delete(p.static, s.Text)
		}
	} else {
		p.dynamic = slices.DeleteFunc(p.dynamic, func(b *branch) bool {
			return pathtemplate.SameSegment(b.segment, s) && b.below.remove(e, depth+1)
		})
	}
	return len(p.entries)+len(p.static)+len(p.dynamic) == 0
}

// Conflicts says what the definition shares with others, itself (by organisation
// and id) left out: an error for each domain where an API of a common group has
// the same listen path, and warnings for paths and endpoints of which some
// requests go to another one than their author may think. Listen paths are
// unique across organisations, because gateways serve them all; an API of
// another one is not named.
func (x *Index) Conflicts(org string, d *Definition) []fault.Problem {
	e := newEntry(org, d)
	v := &findings{}
	for _, layer := range x.layers() {
		layer.mu.RLock()
	}
	shadows, opened := map[*entry]string{}, map[*entry]string{} // by other: the domain
	for _, domain := range e.domains {
		taken := false
		for _, layer := range x.layers() {
			root := layer.roots[domain]
			if root == nil {
				continue
			}
			taken = taken || v.taken(e, domain, root, x.hides)
			s := search{e: e, domain: domain, found: shadows, opened: opened, hides: x.hides}
			s.walk(root, 0, false)
		}
	}
	for _, layer := range x.layers() {
		layer.mu.RUnlock()
	}
	v.shadows(e, shadows)
	v.opened(e, opened)
	v.endpointShadows(d)
	return v.problems
}

func (v *findings) taken(e *entry, domain string, root *place, hides func(*entry) bool) bool {
	at := root
	for _, s := range e.template.Segments {
		if at = at.child(s, false); at == nil {
			return false
		}
	}
	for _, other := range at.entries {
		if other.owner == e.owner && e.id != "" || !intersect(e.groups, other.groups) || hides(other) {
			continue
		}
		params := map[string]any{"domain": domain, "path": other.path}
		where := "on any host"
		if domain != "" {
			where = "on " + domain
		}
		name := e.call(other, params)
		v.add("/listen/path", CodePathTaken, params,
			"%s is already the listen path of %s %s; choose another path, domain or group", e.template, name, where)
		return true
	}
	return false
}

func intersect(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(g string) bool { return slices.Contains(b, g) })
}

// search walks the places that may match the same requests as e.
type search struct {
	e      *entry
	domain string
	found  map[*entry]string // whose requests overlap, by another way than nesting
	opened map[*entry]string // that lead into what the other protects
	hides  func(*entry) bool
	visits int
}

// walk visits a place at a depth. apart tells that a segment above matched
// without being the same: without that, a longer path is an ordinary part of a
// shorter one, and nothing to warn of.
func (s *search) walk(p *place, depth int, apart bool) {
	if s.visits++; s.visits > maxVisits || len(s.found) >= maxFound || len(s.opened) >= maxFound {
		return
	}
	own := len(s.e.template.Segments)
	for _, other := range p.entries {
		covers := depth == own || depth < own && !other.exact || depth > own && !s.e.exact
		if !covers || other.owner == s.e.owner || other.disabled || s.e.disabled || !intersect(s.e.groups, other.groups) || s.hides(other) {
			continue
		}
		if _, twice := s.found[other]; apart && !twice {
			s.found[other] = s.domain
		}
		if _, twice := s.opened[other]; !twice && reaches(s.e, other) {
			s.opened[other] = s.domain
		}
	}
	if depth >= own {
		if !s.e.exact && (apart || s.e.closed) {
			for _, below := range p.static {
				s.walk(below, depth+1, apart)
			}
			for _, b := range p.dynamic {
				s.walk(b.below, depth+1, apart)
			}
		}
		return
	}
	segment := s.e.template.Segments[depth]
	if segment.Kind == pathtemplate.Static {
		if below := p.static[segment.Text]; below != nil {
			s.walk(below, depth+1, apart)
		}
	} else {
		for text, below := range p.static {
			if s.visits++; s.visits > maxVisits {
				break
			}
			if segment.Match(text) {
				s.walk(below, depth+1, true)
			}
		}
	}
	for _, b := range p.dynamic {
		if pathtemplate.SameSegment(b.segment, segment) {
			s.walk(b.below, depth+1, apart)
		} else if segment.Kind != pathtemplate.Static || b.segment.Match(segment.Text) {
			s.walk(b.below, depth+1, true)
		}
	}
}

// call names another API to people and programs, but not to another organisation.
func (e *entry) call(other *entry, params map[string]any) string {
	if other.org != e.org {
		return "an API of another organisation"
	}
	params["id"], params["name"] = other.id, other.name
	return fmt.Sprintf("the API %q", other.name)
}

// shown are the first of what was found, in the order of names.
func shown(found map[*entry]string) []*entry {
	others := slices.SortedFunc(maps.Keys(found), func(a, b *entry) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.id, b.id), strings.Compare(a.org, b.org))
	})
	return others[:min(len(others), maxShadows)]
}

func (v *findings) shadows(e *entry, found map[*entry]string) {
	for _, other := range shown(found) {
		winner, loser, wins := e, other, "this"
		if CompareListen(other.template, e.template) < 0 {
			winner, loser, wins = other, e, "other"
		}
		example := common(e.template, other.template)
		complete := covers(winner, loser)
		params := map[string]any{"domain": found[other], "path": other.path, "example": example, "winner": wins, "complete": complete}
		name := e.call(other, params)
		message := "requests to %s match this API and %s (%s); they go to %s, because its path is longer or more specific"
		to := name
		if wins == "this" {
			to = "this API"
		}
		if complete {
			message = "every request to %s matches this API and %s (%s); all of them go to %s, and none reaches the other: change one of the paths"
		}
		v.add("/listen/path", CodePathShadowed, params, message, example, name, other.path, to).Severity = fault.Warning
	}
}

// common spells a path that both templates match, parameters where any text does.
func common(a, b Template) string {
	if len(a.Segments) < len(b.Segments) {
		a, b = b, a
	}
	t := Template{Segments: slices.Clone(a.Segments)}
	for i, s := range b.Segments {
		if s.Kind == pathtemplate.Static || s.Kind == pathtemplate.Regex && t.Segments[i].Kind == pathtemplate.Param {
			t.Segments[i] = s
		}
	}
	return t.String()
}

// covers tells whether every request to the loser matches the winner too.
func covers(winner, loser *entry) bool {
	w, l := winner.template.Segments, loser.template.Segments
	if len(w) > len(l) || winner.exact && (len(w) < len(l) || !loser.exact) {
		return false
	}
	for i, s := range w {
		switch {
		case s.Kind == pathtemplate.Param || pathtemplate.SameSegment(s, l[i]):
		case l[i].Kind != pathtemplate.Static || !s.Match(l[i].Text):
			return false
		}
	}
	return true
}

// endpointShadows warns of endpoints whose expression never decides, because an
// endpoint with a plain parameter in its place comes first.
func (v *findings) endpointShadows(d *Definition) {
	const most = 4 // expressions of one path; more are not looked at
	byKey := make(map[string][]int, len(d.Endpoints))
	templates := make([]Template, len(d.Endpoints))
	for i, e := range d.Endpoints {
		t, err := ParseTemplate(e.Path)
		if err != nil {
			continue
		}
		templates[i] = t
		key := endpointKey(t, d.Listen.TrailingSlash)
		byKey[key] = append(byKey[key], i)
	}
	for i, t := range templates {
		var at []int
		for k, s := range t.Segments {
			if s.Kind == pathtemplate.Regex && len(at) < most {
				at = append(at, k)
			}
		}
		for choice := 1; choice < 1<<len(at); choice++ {
			wide := Template{Segments: slices.Clone(t.Segments), Slash: t.Slash}
			for bit, k := range at {
				if choice&(1<<bit) != 0 {
					wide.Segments[k] = Segment{Kind: pathtemplate.Param, Name: "any"}
				}
			}
			if v.endpointShadow(d, i, byKey[endpointKey(wide, d.Listen.TrailingSlash)]) {
				break
			}
		}
	}
}

func (v *findings) endpointShadow(d *Definition, i int, candidates []int) bool {
	own := d.Endpoints[i].EffectiveMethods()
	for _, other := range candidates {
		theirs := d.Endpoints[other].EffectiveMethods()
		missing := own == nil || slices.ContainsFunc(own, func(m string) bool { return !slices.Contains(theirs, m) })
		if theirs != nil && missing {
			continue
		}
		v.add(fmt.Sprintf("/endpoints/%d/path", i), CodeEndpointShadowed, map[string]any{"other": other},
			"every request to %s goes to endpoint %d (%s), because a plain parameter comes before an expression; narrow that one",
			strictjson.Brief(d.Endpoints[i].Path), other, strictjson.Brief(d.Endpoints[other].Path)).Severity = fault.Warning
		return true
	}
	return false
}

// Availability is the answer to whether a listen path is free.
type Availability struct {
	// Available tells whether an API could be created there; warnings do not count.
	Available bool `json:"available"`
	// Path and Domain are the normalised spellings; Domain "" is any host.
	Path   string `json:"path"`
	Domain string `json:"domain,omitempty"`
	// Problems are the conflicts and what is wrong with the path or domain itself.
	Problems []fault.Problem `json:"problems"`
}

// Availability tells whether a new API of the organisation could listen there.
// domain "" is any host, no groups is every group, and exceptID is the API that
// is being edited, if any.
func (x *Index) Availability(org, domain, path string, groups []string, exceptID string) Availability {
	d := &Definition{ID: exceptID, Groups: groups, Listen: Listen{Path: path}}
	if domain != "" {
		d.Listen.Domains = []string{domain}
	}
	v := &findings{}
	v.listen("/listen", d.Listen)
	a := Availability{Path: NormalizePath(path), Domain: domain, Problems: v.problems}
	if normal, err := NormalizeDomain(domain); err == nil {
		a.Domain = normal
	}
	a.Problems = append(a.Problems, x.Conflicts(org, d)...)
	a.Available = !slices.ContainsFunc(a.Problems, func(p fault.Problem) bool { return p.Severity == fault.Error })
	return a
}
