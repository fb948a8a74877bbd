package diff

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// apply makes the later document of the earlier one by what the differences say and
// nothing else, so that a difference that is missing or wrong shows.
type apply struct {
	set   map[string]Difference // added and changed, by the later pointer
	moves map[string]string     // later pointer to the earlier one
	taken map[string]bool       // earlier pointers of what was removed or moved
}

func applied(before []byte, all []Difference) []byte {
	p := &apply{map[string]Difference{}, map[string]string{}, map[string]bool{}}
	for _, d := range all {
		switch d.Op {
		case Removed:
			p.taken[d.Path] = true
		case Moved:
			p.moves[d.Path], p.taken[d.From] = d.From, true
		default:
			p.set[d.Path] = d
		}
	}
	out, err := json.Marshal(p.value(read(before), "", ""))
	if err != nil {
		panic(err)
	}
	return out
}

func read(text []byte) (v any) {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func (p *apply) value(v any, before, after string) any {
	if d, ok := p.set[after]; ok {
		return read(d.After)
	}
	switch v := v.(type) {
	case map[string]any:
		return p.object(v, before, after)
	case []any:
		return p.list(v, before, after)
	}
	return v
}

func (p *apply) object(v map[string]any, before, after string) any {
	out := map[string]any{}
	for name, m := range v {
		token := "/" + strictjson.Escape(name)
		if !p.taken[before+token] {
			out[name] = p.value(m, before+token, after+token)
		}
	}
	for path := range p.set {
		rest, ok := strings.CutPrefix(path, after+"/")
		if !ok {
			continue
		}
		token, _, deeper := strings.Cut(rest, "/")
		name := strictjson.Tokens("/" + token)[0]
		if _, there := out[name]; there {
			continue
		}
		var missing any
		if deeper { // what was left out is as if it were empty
			missing = map[string]any{}
		}
		out[name] = p.value(missing, before+"/"+token, after+"/"+token)
	}
	return out
}

func (p *apply) list(v []any, before, after string) any {
	var left []int
	for i := range v {
		if !p.taken[before+"/"+strconv.Itoa(i)] {
			left = append(left, i)
		}
	}
	out := []any{}
	for i := 0; ; i++ {
		here := after + "/" + strconv.Itoa(i)
		d, set := p.set[here]
		from, moved := p.moves[here]
		switch {
		case set && d.Op == Added:
			out = append(out, read(d.After))
		case moved:
			k, err := strconv.Atoi(from[strings.LastIndexByte(from, '/')+1:])
			if err != nil {
				panic(err)
			}
			out = append(out, p.value(v[k], from, here))
		case len(left) > 0:
			out = append(out, p.value(v[left[0]], before+"/"+strconv.Itoa(left[0]), here))
			left = left[1:]
		default:
			return out
		}
	}
}
