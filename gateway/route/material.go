package route

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/apidef/material"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Opener opens what dashboards sealed; trust.Keys.
type Opener interface {
	Open(domain string, sealed []byte) ([]byte, error)
}

// Certificates are where published certificates go, and where definitions find
// them; certs.Store.
type Certificates interface {
	// Take reads a chain in PEM with its key, or without one a bundle of CAs. After an
	// error what was there before stays.
	Take(org, id string, chain, key []byte) error
	Drop(org, id string)
	// Settle brings into use what was taken and dropped.
	Settle()
	Pair(org, name string) (*tls.Certificate, error)
}

// UseMaterial lets the compiler read secrets and certificates. It is called before
// the first reload; without it both are refused.
func (c *Compiler) UseMaterial(keys Opener, certs Certificates) {
	c.keys, c.certs = keys, certs
}

// isMaterial tells which kinds are taken before the APIs that name them.
func isMaterial(kind string) bool {
	return kind == material.KindSecret || kind == material.KindCertificate
}

// takeMaterial takes what an update says of secrets and certificates, and returns the
// keys of secrets that changed.
func (c *Compiler) takeMaterial(t *Table, set []Item, gone []Key) (changed map[string]bool) {
	changed = map[string]bool{}
	for _, it := range set {
		k := key(it.Org, it.Kind, it.ID)
		if sha, ok := t.shas.get(k); !isMaterial(it.Kind) || ok && sha == it.SHA {
			continue
		}
		t.shas = t.shas.with(k, it.SHA)
		p := c.takeOne(t, it, changed)
		if p == nil {
			t.rejected = t.rejected.without(k)
			continue
		}
		t.reject(it, *p)
	}
	for _, g := range gone {
		switch k := key(g.Org, g.Kind, g.ID); g.Kind {
		case material.KindSecret:
			t.secrets, changed[k] = t.secrets.without(k), true
		case material.KindCertificate:
			if t.taken = t.taken.without(k); c.certs != nil {
				c.certs.Drop(g.Org, g.ID)
			}
		}
	}
	if c.certs != nil {
		c.certs.Settle()
	}
	return changed
}

// takeOne takes one secret or certificate; a problem leaves what was there before.
func (c *Compiler) takeOne(t *Table, it Item, changed map[string]bool) *fault.Problem {
	k := key(it.Org, it.Kind, it.ID)
	if it.Kind == material.KindSecret {
		s, problems := material.DecodeStoredSecret(it.Text)
		if s == nil {
			return &problems[0]
		}
		plain, p := c.open(it, "/value", s.Value)
		if p == nil {
			t.secrets, changed[k] = t.secrets.with(k, string(plain)), true
		}
		return p
	}
	cert, problems := material.DecodeStoredCertificate(it.Text)
	if cert == nil {
		return &problems[0]
	}
	var private []byte
	if cert.Key != nil {
		var p *fault.Problem
		if private, p = c.open(it, "/key", cert.Key); p != nil {
			return p
		}
	}
	if c.certs == nil {
		return &fault.Problem{Code: apidef.CodeCertificateMissing, Message: "this gateway takes no published certificates"}
	}
	if err := c.certs.Take(it.Org, it.ID, []byte(cert.Chain), private); err != nil {
		return &fault.Problem{Code: material.CodeChain, Path: "/chain", Message: err.Error()}
	}
	t.taken = t.taken.with(k, it.SHA)
	return nil
}

// open opens the private part of an item.
func (c *Compiler) open(it Item, path string, v *material.Value) ([]byte, *fault.Problem) {
	if v != nil && v.IsSealed() && c.keys != nil {
		if plain, err := c.keys.Open(material.Domain(it.Org, it.Kind, it.ID), v.Sealed); err == nil && len(plain) > 0 {
			return plain, nil
		}
	}
	return nil, &fault.Problem{
		Code: material.CodeSecretSealed, Path: path,
		Message: "this gateway cannot open it with its sealing key; join the gateway anew, or set the value again",
	}
}

// again compiles the APIs whose secrets changed and that are not compiled anyway. One
// that fails stays as it was.
func (c *Compiler) again(t *Table, changed map[string]bool, fresh map[string]made, gone []Key) {
	if len(changed) == 0 {
		return
	}
	for k, a := range t.apis.all() {
		if _, done := fresh[k]; done || !slices.ContainsFunc(a.secrets, func(s string) bool { return changed[s] }) ||
			slices.Contains(gone, Key{a.Facts.Org, kindAPI, a.Facts.ID}) {
			continue
		}
		it := Item{Org: a.Facts.Org, Kind: kindAPI, ID: a.Facts.ID, SHA: a.SHA}
		next, problems := c.build(it, a.Definition, t.secrets)
		if next != nil {
			fresh[k] = made{item: it, api: next, again: true}
		} else if _, told := t.rejected.get(k); !told && len(problems) > 0 {
			t.reject(it, problems[0])
		}
	}
}

// filling puts secrets into the filters of one API.
type filling struct {
	org     string
	secrets pmap[string]
	uses    []material.Use // of all levels, with paths from the object that holds the filters
}

// fill returns filters with the values of secrets in them, or the problem of one that
// is not there.
func (f *filling) fill(at string, fs apidef.Filters) (apidef.Filters, []fault.Problem) {
	filled, uses, missing := material.Fill("/filters", fs, func(id string) (string, bool) {
		if !apidef.ValidID(id) {
			return "", false
		}
		return f.secrets.get(key(f.org, material.KindSecret, id))
	}, quote)
	if missing != nil {
		return nil, []fault.Problem{{
			Code: material.CodeSecretUnknown, Path: at + missing.Path, Severity: fault.Error,
			Message: fmt.Sprintf("this gateway has no secret %q; make it, or correct the name", missing.ID),
		}}
	}
	f.uses = append(f.uses, uses...)
	return filled, nil
}

// names are the secrets that were filled in, as keys of a table.
func (f *filling) names() []string {
	seen := map[string]bool{}
	for _, u := range f.uses {
		seen[key(f.org, material.KindSecret, u.ID)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// hide takes out of problems what they may say of secrets: every message about a
// place where one stands, or that holds such a place.
func (f *filling) hide(problems []fault.Problem) []fault.Problem {
	for i, p := range problems {
		for _, u := range f.uses {
			if material.Within(u.Path, p.Path) || material.Within(p.Path, u.Path) {
				problems[i] = fault.Problem{
					Code: material.CodeSecretRefused, Path: p.Path, Severity: p.Severity,
					Message: fmt.Sprintf("with the secret %q in it this is not valid (%s); change the secret, or where it stands", u.ID, p.Code),
				}
				break
			}
		}
	}
	return problems
}

// quote spells a secret so that the filter takes it literally.
func quote(name, value string) string {
	switch name {
	case "requestHeaders", "responseHeaders", "identity": // values with {variables}
		return strings.NewReplacer("{", "{{", "}", "}}").Replace(value)
	case "errors": // text/template
		return strings.ReplaceAll(value, "{{", `{{"{{"}}`)
	}
	return value
}
