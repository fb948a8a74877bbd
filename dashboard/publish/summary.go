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
	o.Text, o.Summary = text, Summarise(c.ID, text)
	return o
}

// Summarise takes from a text what lists show and search. It reads loosely, so
// that every text which was ever accepted keeps its place in the lists.
func Summarise(id string, text []byte) Summary {
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
		if !Unread(p.Code) {
			return nil
		}
		unknown = append(unknown, p.Path)
	}
	rest, err := Without(text, unknown)
	if err != nil {
		return nil
	}
	d, _ = apidef.Decode(rest)
	return d
}

// Unread tells whether a problem says that nothing reads a member.
func Unread(code fault.Code) bool {
	return code == strictjson.CodeUnknownField || code == strictjson.CodeNotAvailable
}

// Without removes members of objects, named by JSON pointers (RFC 6901). The layout of the text is not kept: the
// outcome is for reading only.
func Without(text []byte, pointers []string) ([]byte, error) {
	var root any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, err
	}
	for _, p := range pointers {
		path := Tokens(p)
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

// Tokens splits a JSON pointer (RFC 6901) into its reference tokens.
func Tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	list := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range list {
		list[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return list
}
