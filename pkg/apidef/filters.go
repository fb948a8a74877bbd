package apidef

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// IsOff tells whether a filter's options are "off", which removes the filter
// that the level above set.
func IsOff(options json.RawMessage) bool { return string(options) == `"off"` }

// ValidateFilters checks the filters of the API and of each endpoint: names,
// places and options by the catalog's schemas. A filter of the language that the
// catalog lacks is refused with "not_available". A catalog without entries knows
// no names, so that only "off" is checked. Members named x-… are ignored.
func ValidateFilters(d *Definition, c *Catalog) []fault.Problem {
	v := &findings{}
	v.filters("/filters", ScopeAPI, d.Filters, c)
	for i, e := range d.Endpoints {
		v.filters("/endpoints/"+strconv.Itoa(i)+"/filters", ScopeEndpoint, e.Filters, c)
	}
	return v.problems
}

func (v *findings) filters(at, scope string, fs Filters, c *Catalog) {
	for _, name := range slices.Sorted(maps.Keys(fs)) {
		if strings.HasPrefix(name, "x-") {
			continue
		}
		path := at + "/" + strictjson.Escape(name)
		entry, known := c.Entry(name)
		if len(c.entries) > 0 && !known {
			v.unknownFilter(path, name, c)
			continue
		}
		if IsOff(fs[name]) {
			if name == "auth" && scope == ScopeAPI {
				v.add(path, CodeFilterOff, map[string]any{"name": name},
					`at the level of the API "auth" cannot be "off"; write {"open": true} if everybody may call it`).Fix = `{"open": true}`
			}
			continue
		}
		if known && !slices.Contains(entry.Scope, scope) {
			v.add(path, CodeFilterScope, map[string]any{"name": name, "scope": scope},
				"%q cannot stand at the level of the %s; it works at: %s", name, scope, strings.Join(entry.Scope, ", "))
			continue
		}
		if known {
			v.problems = append(v.problems, c.schemas[name].CheckPlanned(fs[name], path, func(pattern string) bool {
				return plannedOption("/" + name + pattern)
			})...)
		}
	}
}

func (v *findings) unknownFilter(path, name string, c *Catalog) {
	if slices.Contains(plannedFilters(), name) {
		v.add(path, strictjson.CodeNotAvailable, map[string]any{"name": name},
			"the filter %q is not available yet; remove it, so that nobody relies on it", name)
		return
	}
	p := strictjson.Unknown(name, c.Names())
	v.add(path, p.Code, p.Params, "%s", p.Message).Fix = p.Fix
}

// Merged returns the filters that hold at an endpoint: the API's, each replaced
// by the endpoint's of the same name, without those that are "off" and without
// names that start with "x-".
func (d *Definition) Merged(e Endpoint) Filters {
	out := Filters{}
	for _, fs := range []Filters{d.Filters, e.Filters} {
		for name, options := range fs {
			if IsOff(options) {
				delete(out, name)
			} else if !strings.HasPrefix(name, "x-") {
				out[name] = options
			}
		}
	}
	return out
}
