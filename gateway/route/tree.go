package route

import (
	"regexp"
	"sort"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// node is one level of a path trie. Tries are persistent: an edit copies the
// nodes from the root to the place and shares all others, so that readers of
// the old trie are not disturbed and a reload costs what changed.
type node[V any] struct {
	static pmap[*node[V]]
	param  *node[V]
	regex  []regexNode[V] // by source, so that order of creation does not matter
	here   []V            // values whose template ends here
	rest   []V            // values whose template goes on with "/**"
}

type regexNode[V any] struct {
	re   *regexp.Regexp
	next *node[V]
}

// edit returns a copy of the trie in which f changed the values at a template's
// place. f gets a copy that it may change.
func (n *node[V]) edit(segs []apidef.Segment, f func([]V) []V) *node[V] {
	c := &node[V]{}
	if n != nil {
		*c = *n
	}
	if len(segs) == 0 {
		c.here = f(append([]V(nil), c.here...))
		return c
	}
	s, rest := segs[0], segs[1:]
	switch s.Kind {
	case apidef.Static:
		child, _ := c.static.get(s.Text)
		if child = child.edit(rest, f); child.empty() {
			c.static = c.static.without(s.Text)
		} else {
			c.static = c.static.with(s.Text, child)
		}
	case apidef.Param:
		if c.param = c.param.edit(rest, f); c.param.empty() {
			c.param = nil
		}
	case apidef.Regex:
		c.regex = editRegex(c.regex, s.Regexp, rest, f)
	case apidef.Rest:
		c.rest = f(append([]V(nil), c.rest...))
	}
	return c
}

func editRegex[V any](list []regexNode[V], re *regexp.Regexp, rest []apidef.Segment, f func([]V) []V) []regexNode[V] {
	out := append([]regexNode[V](nil), list...)
	i := sort.Search(len(out), func(i int) bool { return out[i].re.String() >= re.String() })
	if i == len(out) || out[i].re.String() != re.String() {
		out = append(out, regexNode[V]{})
		copy(out[i+1:], out[i:])
		out[i] = regexNode[V]{re: re}
	}
	out[i].next = out[i].next.edit(rest, f)
	if out[i].next.empty() {
		out = append(out[:i], out[i+1:]...)
	}
	return out
}

func (n *node[V]) empty() bool {
	return n == nil || n.static.len() == 0 && n.param == nil && len(n.regex) == 0 && len(n.here) == 0 && len(n.rest) == 0
}

// segment returns the segment that starts at the slash path[at], and where the
// next one starts. At the end of the path, or at a slash that ends it, ok is false.
func segment(path string, at int) (seg string, next int, ok bool) {
	if at >= len(path)-1 {
		return "", at, false
	}
	i := strings.IndexByte(path[at+1:], '/')
	if i < 0 {
		return path[at+1:], len(path), true
	}
	return path[at+1 : at+1+i], at + 1 + i, true
}

// name is a segment without its parameters (RFC 3986, 3.3), so that "/admin;x"
// finds what protects "/admin".
func name(seg string) string {
	if i := strings.IndexByte(seg, ';'); i >= 0 {
		return seg[:i]
	}
	return seg
}

// spans are the values of the parameters on the way down, as places in the path:
// a fixed array, so that matching allocates nothing.
type spans struct {
	at [64][2]uint16
	n  int
}

func (v *spans) push(from, to int) {
	if v.n < len(v.at) {
		v.at[v.n] = [2]uint16{uint16(from), uint16(to)}
	}
	v.n++
}

// params appends names and values to an exchange's parameters.
func (v *spans) params(out []filter.Param, names []string, path string) []filter.Param {
	for i := range min(len(names), v.n, len(v.at)) {
		out = append(out, filter.Param{Name: names[i], Value: path[v.at[i][0]:v.at[i][1]]})
	}
	return out
}

// search finds the listen path with the most segments; among equals, the one
// whose first differing segment is static before {param} before {param:regex}.
type search struct {
	path   string
	api    *API
	end    int // of the match in path
	depth  int
	values spans
	best   spans
}

func (s *search) run(n *node[*API]) {
	if n == nil {
		return
	}
	s.depth, s.values.n = -1, 0
	s.visit(n, 0, 0)
}

func (s *search) visit(n *node[*API], at, depth int) {
	seg, next, more := segment(s.path, at)
	if depth > s.depth {
		for _, a := range n.here {
			if a.exact && more {
				continue
			}
			s.api, s.end, s.depth = a, at, depth
			s.best = s.values
			if a.exact {
				break // both are here: exact before prefix
			}
		}
	}
	if !more {
		return
	}
	if child, ok := n.static.get(name(seg)); ok {
		s.visit(child, next, depth+1)
	}
	if n.param == nil && len(n.regex) == 0 {
		return
	}
	s.values.push(at+1, next)
	if n.param != nil {
		s.visit(n.param, next, depth+1)
	}
	for i := range n.regex {
		if n.regex[i].re.MatchString(seg) {
			s.visit(n.regex[i].next, next, depth+1)
		}
	}
	s.values.n--
}

// endpoints is the trie of one API's endpoints.
type endpoints struct {
	root  *node[*Endpoint]
	slash apidef.TrailingSlash
}

func (e *endpoints) add(t apidef.Template, ep *Endpoint) {
	e.root = e.root.edit(t.Segments, func(list []*Endpoint) []*Endpoint { return append(list, ep) })
}

// match finds the endpoint of a path below the listen path. values get the
// parameters in the order of the template; slash is the spelling to redirect to:
// +1 with, -1 without a slash at the end, 0 none.
func (e *endpoints) match(method, path string, values *spans) (ep *Endpoint, slash int) {
	if e == nil || e.root == nil {
		return nil, 0
	}
	return e.visit(e.root, method, path, 0, values)
}

func (e *endpoints) visit(n *node[*Endpoint], method, path string, at int, values *spans) (*Endpoint, int) {
	seg, next, more := segment(path, at)
	if !more {
		if ep, slash := e.pick(n.here, method, at == len(path)-1 && path != "/", path == "/"); ep != nil {
			return ep, slash
		}
	} else if ep, slash := e.below(n, method, path, seg, at, next, values); ep != nil {
		return ep, slash
	}
	for _, ep := range n.rest {
		if ep.answers(method) {
			return ep, 0
		}
	}
	return nil, 0
}

// below tries the children of a node: static, {param}, {param:regex}.
func (e *endpoints) below(n *node[*Endpoint], method, path, seg string, at, next int, values *spans) (*Endpoint, int) {
	if child, ok := n.static.get(name(seg)); ok {
		if ep, slash := e.visit(child, method, path, next, values); ep != nil {
			return ep, slash
		}
	}
	if n.param == nil && len(n.regex) == 0 {
		return nil, 0
	}
	values.push(at+1, next)
	if n.param != nil {
		if ep, slash := e.visit(n.param, method, path, next, values); ep != nil {
			return ep, slash
		}
	}
	for i := range n.regex {
		if !n.regex[i].re.MatchString(seg) {
			continue
		}
		if ep, slash := e.visit(n.regex[i].next, method, path, next, values); ep != nil {
			return ep, slash
		}
	}
	values.n--
	return nil, 0
}

// pick chooses among the endpoints of one place by method and, where the API
// keeps trailing slashes apart, by the slash.
func (e *endpoints) pick(list []*Endpoint, method string, slash, root bool) (*Endpoint, int) {
	var other *Endpoint
	for _, ep := range list {
		switch {
		case !ep.answers(method):
		case ep.slash == slash || root:
			return ep, 0
		case e.slash == apidef.SlashIgnore || e.slash == apidef.SlashRedirect:
			other = ep
		}
	}
	if other == nil || e.slash == apidef.SlashIgnore {
		return other, 0
	}
	if other.slash {
		return other, 1
	}
	return other, -1
}

func (ep *Endpoint) answers(method string) bool {
	if len(ep.Methods) == 0 {
		return true
	}
	for _, m := range ep.Methods {
		if m == method || m == "*" {
			return true
		}
	}
	return false
}
