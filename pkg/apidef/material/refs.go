package material

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// reference begins what stands for a secret in a definition's filters.
const reference = "${secret:"

// Use is one place in a definition that names material.
type Use struct {
	Kind string // KindCertificate or KindSecret
	ID   string // as it is written; one that is no valid id names nothing
	Path string // JSON pointer of the value that names it
}

// Uses lists the material that a definition names, in the order of the document:
// certificates of listen and upstream, and secrets in the options of filters.
func Uses(d *apidef.Definition) []Use {
	var out []Use
	for i, id := range d.Listen.Certificates {
		out = append(out, Use{KindCertificate, id, "/listen/certificates/" + strconv.Itoa(i)})
	}
	if id := d.Upstream.TLS.CA; id != "" {
		out = append(out, Use{KindCertificate, id, "/upstream/tls/ca"})
	}
	if id := d.Upstream.TLS.ClientCertificate; id != "" {
		out = append(out, Use{KindCertificate, id, "/upstream/tls/clientCertificate"})
	}
	out = append(out, filterUses("/filters", d.Filters)...)
	for i, e := range d.Endpoints {
		out = append(out, filterUses("/endpoints/"+strconv.Itoa(i)+"/filters", e.Filters)...)
	}
	return out
}

// Refers tells quickly whether filters may hold a reference to a secret.
func Refers(fs apidef.Filters) bool {
	for _, raw := range fs {
		// "$" may be written as an escape
		if bytes.Contains(raw, []byte("secret:")) || bytes.Contains(raw, []byte(`\u`)) {
			return true
		}
	}
	return false
}

// Mentions tells quickly whether the text of a definition may refer to a secret.
func Mentions(text []byte) bool {
	return Refers(apidef.Filters{"": text})
}

func filterUses(at string, fs apidef.Filters) []Use {
	if !Refers(fs) {
		return nil
	}
	names := make([]string, 0, len(fs))
	for name := range fs {
		if !strings.HasPrefix(name, "x-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Use
	for _, name := range names {
		var v any
		if json.Unmarshal(fs[name], &v) == nil {
			walk(v, at+"/"+strictjson.Escape(name), func(path, text string) string {
				for _, id := range references(text) {
					out = append(out, Use{KindSecret, id, path})
				}
				return text
			})
		}
	}
	return out
}

// references lists what ${secret:…} in a text names. One without its brace is not
// a reference.
func references(text string) (ids []string) {
	for {
		_, rest, found := strings.Cut(text, reference)
		if !found {
			return ids
		}
		id, tail, closed := strings.Cut(rest, "}")
		if !closed {
			return ids
		}
		ids, text = append(ids, id), tail
	}
}

// Fill returns filters with the values of secrets in the place of their
// references; what no reference concerns keeps its bytes. value is asked for each.
// Where it does not know one, Fill returns its use, with a path that begins with at.
// quote, which may be nil, spells a value for the filter of that name, where braces
// or the like have a meaning.
func Fill(at string, fs apidef.Filters, value func(id string) (string, bool), quote func(filter, value string) string) (apidef.Filters, []Use, *Use) {
	if !Refers(fs) {
		return fs, nil, nil
	}
	uses := filterUses(at, fs)
	for i, u := range uses {
		if _, known := value(u.ID); !known {
			return nil, nil, &uses[i]
		}
	}
	if len(uses) == 0 {
		return fs, nil, nil
	}
	out := make(apidef.Filters, len(fs))
	for name, raw := range fs {
		out[name] = raw
		if strings.HasPrefix(name, "x-") || !slices.ContainsFunc(uses, func(u Use) bool { return Within(u.Path, at+"/"+strictjson.Escape(name)) }) {
			continue
		}
		out[name] = filled(raw, func(id string) string {
			v, _ := value(id)
			if quote != nil {
				v = quote(name, v)
			}
			return v
		})
	}
	return out, uses, nil
}

// filled is one filter's options with values in them.
func filled(raw json.RawMessage, value func(id string) string) json.RawMessage {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	v = walk(v, "", func(_, text string) string {
		var b strings.Builder
		for {
			head, rest, found := strings.Cut(text, reference)
			id, tail, closed := strings.Cut(rest, "}")
			if !found || !closed {
				b.WriteString(text)
				return b.String()
			}
			b.WriteString(head)
			b.WriteString(value(id))
			text = tail
		}
	})
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// walk visits every text of a value, names of members left out, and puts what f
// returns in its place.
func walk(v any, at string, f func(path, text string) string) any {
	switch x := v.(type) {
	case string:
		return f(at, x)
	case []any:
		for i := range x {
			x[i] = walk(x[i], at+"/"+strconv.Itoa(i), f)
		}
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			x[name] = walk(x[name], at+"/"+strictjson.Escape(name), f)
		}
	}
	return v
}

// Within tells whether a JSON pointer names a value or a part of it.
func Within(pointer, value string) bool {
	return pointer == value || strings.HasPrefix(pointer, value+"/")
}
