package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/access"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

// Compiler turns definitions into APIs. Safe for concurrent use.
type Compiler struct {
	order []filter.Spec
	ups   Upstreams
	keys  Opener                       // nil: secrets cannot be opened
	certs Certificates                 // nil: none are taken
	last  atomic.Pointer[pmap[string]] // the secrets of the table that was made last, for Check
}

// NewCompiler takes the chain's order and the lender of forwarders.
func NewCompiler(order []filter.Spec, ups Upstreams) *Compiler {
	return &Compiler{order: order, ups: ups}
}

// Check compiles an object without using it and returns why it would be
// rejected; nothing is good.
func (c *Compiler) Check(org, kind, id string, text []byte) []notice.Rejected {
	var problems []fault.Problem
	switch kind {
	case kindAPI:
		var a *API
		var secrets pmap[string]
		if last := c.last.Load(); last != nil {
			secrets = *last
		}
		if a, problems = c.compile(Item{Org: org, Kind: kind, ID: id, Text: text}, secrets); a != nil {
			c.ups.Release(a.Forwarder)
		}
	case kindPolicy:
		_, problems = decodePolicy(Item{Org: org, Kind: kind, ID: id, Text: text})
	}
	var out []notice.Rejected
	for _, p := range problems {
		r := rejection(Item{Org: org, Kind: kind, ID: id}, p, false)
		r.Path = p.Path
		out = append(out, r)
	}
	return out
}

// apply makes the next table. retired are forwarders that the new table does not
// use any more; they are released after the swap.
func (c *Compiler) apply(old *Table, u *Update) (next *Table, retired []filter.Forwarder) {
	t := *old
	t.state = u.State
	gone := u.Gone
	if u.Full {
		gone = append(gone, missing(old, u)...)
	}
	changed := c.takeMaterial(&t, u.Set, gone)
	fresh := map[string]made{}
	for _, it := range u.Set {
		k := key(it.Org, it.Kind, it.ID)
		if sha, ok := t.shas.get(k); ok && sha == it.SHA || isMaterial(it.Kind) {
			continue
		}
		t.shas = t.shas.with(k, it.SHA)
		t.blocked = t.blocked.without(k)
		c.take(&t, it, fresh)
	}
	for _, k := range gone {
		retired = append(retired, t.remove(k)...)
	}
	for _, it := range t.blocked.all() {
		c.take(&t, it, fresh)
	}
	c.again(&t, changed, fresh, gone)
	c.last.Store(&t.secrets)
	return &t, append(retired, t.arrange(fresh)...)
}

// arrange gives compiled APIs their places. Every old place is freed before a new
// one is taken, so that APIs can swap paths. One whose new place another API keeps
// stays as it was; then nobody else may have its old place, hence another try.
func (t *Table) arrange(fresh map[string]made) (retired []filter.Forwarder) {
	before := *t
	stays := map[string]bool{}
	for {
		*t, retired = before, nil
		for k := range fresh {
			if was, ok := t.apis.get(k); ok && !stays[k] {
				t.route(was, false)
			}
		}
		settled := true
		for _, k := range slices.Sorted(maps.Keys(fresh)) {
			m := fresh[k]
			var other *API
			if m.api != nil {
				other = t.holder(m.api)
			}
			if other == nil && !stays[k] {
				retired = append(retired, t.place(m)...)
				continue
			}
			if _, had := t.apis.get(k); had && !stays[k] {
				stays[k], settled = true, false
				break
			}
			t.block(m, other)
			retired = append(retired, m.api.Forwarder)
		}
		if settled {
			return retired
		}
	}
}

// block notes that an API waits until another one leaves its place; nil is one
// that left it just now.
func (t *Table) block(m made, other *API) {
	if m.again {
		return // the table has it without the change
	}
	by := "another API"
	if other != nil {
		by = fmt.Sprintf("API %q", other.Facts.Name)
	}
	t.reject(m.item, fault.Problem{Code: "api.path_taken", Path: "/listen/path", Message: by + " has this listen path"})
	t.blocked = t.blocked.with(key(m.item.Org, m.item.Kind, m.item.ID), m.item)
}

// made is a definition with what it compiled to; api is nil for a disabled one.
type made struct {
	item  Item
	api   *API
	again bool // the version that serves, with other secrets; a newer one may have been rejected
}

// take compiles one item: an API into fresh, a policy into the table.
func (c *Compiler) take(t *Table, it Item, fresh map[string]made) {
	switch it.Kind {
	case kindAPI:
		if a, problems := c.compile(it, t.secrets); a == nil && len(problems) > 0 {
			t.reject(it, problems[0])
			if problems[0].Code == apidef.CodeCertificateMissing || material.Mentions(it.Text) { // which may come, or change
				t.blocked = t.blocked.with(key(it.Org, it.Kind, it.ID), it)
			}
		} else {
			fresh[key(it.Org, it.Kind, it.ID)] = made{item: it, api: a}
		}
	case kindPolicy:
		if p, problems := decodePolicy(it); p == nil {
			t.reject(it, problems[0])
		} else {
			t.setPolicy(it.Org, it.ID, p)
			t.rejected = t.rejected.without(key(it.Org, it.Kind, it.ID))
		}
	}
}

// mended tells whether a definition that this gateway rejected because a
// certificate was missing can be used now.
func (c *Compiler) mended(t *Table) bool {
	for k, it := range t.blocked.all() {
		if r, ok := t.rejected.get(k); ok && r.Code == string(apidef.CodeCertificateMissing) && len(c.Check(it.Org, it.Kind, it.ID, it.Text)) == 0 {
			return true
		}
	}
	return false
}

// place puts a compiled API in, nil meaning a disabled one. Its place is free.
func (t *Table) place(m made) (retired []filter.Forwarder) {
	it, a := m.item, m.api
	k := key(it.Org, it.Kind, it.ID)
	was, had := t.apis.get(k)
	if a != nil {
		t.route(a, true)
		t.apis = t.apis.with(k, a)
	} else {
		t.apis = t.apis.without(k)
	}
	if taken, _ := t.shas.get(k); !m.again || taken == a.SHA {
		t.rejected = t.rejected.without(k)
		t.blocked = t.blocked.without(k)
	}
	if had {
		retired = append(retired, was.Forwarder)
	}
	return retired
}

func (t *Table) remove(k Key) (retired []filter.Forwarder) {
	s := key(k.Org, k.Kind, k.ID)
	t.shas = t.shas.without(s)
	t.rejected = t.rejected.without(s)
	t.blocked = t.blocked.without(s)
	switch k.Kind {
	case kindAPI:
		if a, ok := t.apis.get(s); ok {
			t.route(a, false)
			t.apis = t.apis.without(s)
			retired = append(retired, a.Forwarder)
		}
	case kindPolicy:
		t.setPolicy(k.Org, k.ID, nil)
	}
	return retired
}

func (t *Table) reject(it Item, p fault.Problem) {
	t.rejected = t.rejected.with(key(it.Org, it.Kind, it.ID), rejection(it, p, t.serves(it.Org, it.Kind, it.ID)))
}

// serves tells whether some version of an object is in use.
func (t *Table) serves(org, kind, id string) bool {
	switch kind {
	case kindPolicy:
		_, ok := t.policies[org][id]
		return ok
	case material.KindSecret:
		_, ok := t.secrets.get(key(org, kind, id))
		return ok
	case material.KindCertificate:
		_, ok := t.taken.get(key(org, kind, id))
		return ok
	}
	_, ok := t.apis.get(key(org, kind, id))
	return ok
}

func rejection(it Item, p fault.Problem, kept bool) notice.Rejected {
	msg := p.Message
	if p.Path != "" {
		msg = p.Path + ": " + msg
	}
	return notice.Rejected{Org: it.Org, Kind: it.Kind, ID: it.ID, Code: string(p.Code), Message: msg, Kept: kept}
}

// compile returns the API, or problems, or neither for a disabled one.
func (c *Compiler) compile(it Item, secrets pmap[string]) (made *API, found []fault.Problem) {
	defer func() {
		if p := recover(); p != nil {
			made, found = nil, crashed(fmt.Sprintf(": %v", p))
		}
	}()
	d, problems := apidef.DecodeStored(it.Text)
	if d != nil {
		problems = append(problems, apidef.Validate(d)...)
	}
	if problems = errors(problems); d == nil || len(problems) > 0 {
		return nil, problems
	}
	return c.build(it, d, secrets)
}

// crashed is the problem of a panic: the same one would end every gateway, again at
// each start.
func crashed(why string) []fault.Problem {
	return []fault.Problem{{Code: "compile.failed", Message: "the gateway failed to compile it" + why, Severity: fault.Error}}
}

// build is compile of a definition that was read.
func (c *Compiler) build(it Item, d *apidef.Definition, secrets pmap[string]) (made *API, found []fault.Problem) {
	f := &filling{org: it.Org, secrets: secrets}
	defer func() {
		if p := recover(); p != nil {
			why := fmt.Sprintf(": %v", p)
			if len(f.uses) > 0 {
				why = "" // it may quote a secret
			}
			made, found = nil, crashed(why)
		}
	}()
	t, err := apidef.ParseTemplate(d.Listen.Path)
	if err != nil {
		return nil, []fault.Problem{{Code: "path.invalid", Path: "/listen/path", Message: err.Error(), Severity: fault.Error}}
	}
	a := &API{
		Facts:      filter.API{Org: it.Org, ID: it.ID, Name: d.Name, ListenPath: d.Listen.Path, Strip: d.Listen.StripPath()},
		SHA:        it.SHA,
		Definition: d,
		Secure:     d.Listen.RedirectHTTP,
		exact:      d.Listen.Match.OrDefault() == apidef.Exact,
		allowList:  d.AllowList,
		keepSlash:  d.Listen.EncodedSlash.OrDefault() == apidef.EncodedKeep,
		template:   t,
		names:      names(t),
	}
	for _, domain := range d.Listen.Domains {
		a.domains = append(a.domains, strings.ToLower(strings.Trim(strings.TrimSuffix(domain, "."), "[]")))
	}
	slices.Sort(a.domains)
	a.domains = slices.Compact(a.domains)
	if problems := c.chains(a, d, f); len(problems) > 0 {
		return nil, problems
	}
	a.secrets = f.names()
	if !d.IsActive() {
		return nil, nil
	}
	if problems := c.certificates(it.Org, d.Listen.Certificates); len(problems) > 0 {
		return nil, problems
	}
	if a.Forwarder, err = c.ups.Acquire(it.Org, it.ID, d.Upstream); err != nil {
		p := fault.Problem{Code: "upstream.invalid", Path: "/upstream", Message: err.Error(), Severity: fault.Error}
		if f := fault.As(err); f != nil && f.Code == apidef.CodeCertificateMissing {
			p.Code, p.Path, p.Message = f.Code, "/upstream/tls", f.Message
		}
		return nil, []fault.Problem{p}
	}
	return a, nil
}

// certificates tells which of the certificates that an API listens with are missing.
func (c *Compiler) certificates(org string, ids []string) []fault.Problem {
	for i, id := range ids {
		err := fmt.Errorf("this gateway has no certificates, so none of the name %q", id)
		if c.certs != nil {
			_, err = c.certs.Pair(org, id)
		}
		if err != nil {
			return []fault.Problem{{Code: apidef.CodeCertificateMissing, Path: fmt.Sprintf("/listen/certificates/%d", i), Message: err.Error(), Severity: fault.Error}}
		}
	}
	return nil
}

// chains compiles the filters of an API and of its endpoints, with secrets in them.
func (c *Compiler) chains(a *API, d *apidef.Definition, f *filling) []fault.Problem {
	filters, problems := f.fill("", d.Filters)
	if len(problems) > 0 {
		return problems
	}
	if a.Chain, problems = chain.Build(c.order, filters); a.Chain == nil {
		return f.hide(problems)
	}
	a.endpoints = &endpoints{slash: d.Listen.TrailingSlash.OrDefault()}
	shared := f.uses
	for i, e := range d.Endpoints {
		at := fmt.Sprintf("/endpoints/%d", i)
		t, err := apidef.ParseTemplate(e.Path)
		if err != nil {
			return []fault.Problem{{Code: "path.invalid", Path: at + "/path", Message: err.Error(), Severity: fault.Error}}
		}
		ep := &Endpoint{
			Facts:   filter.Endpoint{ID: e.EffectiveID(), Path: e.Path},
			Methods: e.EffectiveMethods(),
			Chain:   a.Chain,
			slash:   t.Slash,
			names:   names(t),
		}
		if len(e.Filters) > 0 {
			own := &filling{org: f.org, secrets: f.secrets, uses: slices.Clone(shared)}
			level, problems := own.fill(at, e.Filters)
			if len(problems) > 0 {
				return problems
			}
			f.uses = append(f.uses, own.uses[len(shared):]...)
			ch, problems := chain.Build(c.order, filters, level)
			if ch == nil {
				for j := range own.hide(problems) {
					problems[j].Path = at + problems[j].Path
				}
				return problems
			}
			ep.Chain = ch
		}
		a.endpoints.add(t, ep)
	}
	return nil
}

func decodePolicy(it Item) (*access.Policy, []fault.Problem) {
	p, problems := access.DecodeStoredPolicy(it.Text)
	if p != nil {
		problems = append(problems, access.ValidatePolicy(p)...)
	}
	if problems = errors(problems); p == nil || len(problems) > 0 {
		return nil, problems
	}
	p.ID = it.ID
	return p, nil
}

// errors keeps the problems that are errors.
func errors(ps []fault.Problem) []fault.Problem {
	return slices.DeleteFunc(ps, func(p fault.Problem) bool { return p.Severity == fault.Warning })
}

// missing lists what a table has and a full update has not.
func missing(t *Table, u *Update) []Key {
	keep := map[string]bool{}
	for _, it := range u.Set {
		keep[key(it.Org, it.Kind, it.ID)] = true
	}
	for _, k := range u.Incomplete {
		keep[key(k.Org, k.Kind, k.ID)] = true
	}
	var gone []Key
	for k := range t.shas.all() {
		if !keep[k] {
			parts := strings.SplitN(k, "\x00", 3)
			gone = append(gone, Key{parts[0], parts[1], parts[2]})
		}
	}
	return gone
}

func key(org, kind, id string) string { return org + "\x00" + kind + "\x00" + id }

func names(t apidef.Template) []string {
	var out []string
	for _, s := range t.Segments {
		if s.Name != "" {
			out = append(out, s.Name)
		}
	}
	return out
}
