package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Sum is the SHA-256 of a text, hex: its name in Contents.
func Sum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// makeObject is the object that a change leads to.
func makeObject(r Revision, c Change, text []byte) Object {
	o := Object{Org: c.Org, Kind: c.Kind, ID: c.ID, Rev: r.N, SHA: c.After, UpdatedAt: r.At, UpdatedBy: r.Author}
	if c.After == "" {
		o.Deleted = true
		return o
	}
	o.Text, o.Summary = text, summarise(c.ID, text)
	return o
}

// summarise takes from a text what lists show and search. It reads loosely, so
// that every text which was ever accepted keeps its place in the lists.
func summarise(id string, text []byte) Summary {
	var d struct {
		Name   string   `json:"name"`
		State  string   `json:"state"`
		Tags   []string `json:"tags"`
		Groups []string `json:"groups"`
		Listen struct {
			Domains []string `json:"domains"`
			Path    string   `json:"path"`
		} `json:"listen"`
		Upstream struct {
			Targets []struct {
				URL string `json:"url"`
			} `json:"targets"`
		} `json:"upstream"`
	}
	// A member of another type stops at itself: what was read before it counts.
	_ = json.Unmarshal(text, &d)
	s := Summary{Name: d.Name, State: d.State, Tags: d.Tags, Groups: d.Groups}
	if s.State == "" {
		s.State = string(apidef.Active)
	}
	search := append([]string{id, d.Name, d.Listen.Path}, d.Listen.Domains...)
	for _, t := range d.Upstream.Targets {
		search = append(search, t.URL)
	}
	for _, v := range append(search, d.Tags...) {
		if v != "" {
			s.Search = append(s.Search, strings.ToLower(v))
		}
	}
	return s
}

// DecodeStored reads a definition that was accepted before. Members that this
// version does not know, or knows only as planned, are passed over: they were
// kept on purpose. It returns nil for a text that cannot be read at all.
func DecodeStored(text []byte) *apidef.Definition {
	d, problems := apidef.Decode(text)
	if d != nil {
		return d
	}
	var unknown []string
	for _, p := range problems {
		if !unread(p.Code) {
			return nil
		}
		unknown = append(unknown, p.Path)
	}
	rest, err := without(text, unknown)
	if err != nil {
		return nil
	}
	d, _ = apidef.Decode(rest)
	return d
}

// unread tells whether a problem says that nothing reads a member.
func unread(code fault.Code) bool {
	return code == strictjson.CodeUnknownField || code == strictjson.CodeNotAvailable
}

// keep turns the problems of members that nothing reads into warnings where the
// stored text has the very same bytes at the same place. It returns the pointers
// of these members.
func keep(problems []fault.Problem, stored, text []byte) (kept []string) {
	if stored == nil {
		return nil
	}
	for i, p := range problems {
		if !unread(p.Code) || p.Severity != fault.Error {
			continue
		}
		was, ok := at(stored, p.Path)
		is, also := at(text, p.Path)
		if ok && also && bytes.Equal(was, is) {
			problems[i].Severity = fault.Warning
			kept = append(kept, p.Path)
		}
	}
	return kept
}

// at returns the bytes of the value that a JSON pointer (RFC 6901) names.
func at(text []byte, pointer string) ([]byte, bool) {
	raw := json.RawMessage(text)
	for _, token := range tokens(pointer) {
		var object map[string]json.RawMessage
		var array []json.RawMessage
		switch {
		case json.Unmarshal(raw, &object) == nil:
			next, ok := object[token]
			if !ok {
				return nil, false
			}
			raw = next
		case json.Unmarshal(raw, &array) == nil:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(array) {
				return nil, false
			}
			raw = array[i]
		default:
			return nil, false
		}
	}
	return raw, true
}

// without removes members of objects. The layout of the text is not kept: the
// outcome is for reading only.
func without(text []byte, pointers []string) ([]byte, error) {
	var root any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, err
	}
	for _, p := range pointers {
		path := tokens(p)
		v := root
		for i, token := range path {
			switch here := v.(type) {
			case map[string]any:
				if i == len(path)-1 {
					delete(here, token)
				}
				v = here[token]
			case []any:
				n, err := strconv.Atoi(token)
				if err != nil || n < 0 || n >= len(here) {
					v = nil
					continue
				}
				v = here[n]
			}
		}
	}
	return json.Marshal(root)
}

func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	list := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return list
}
