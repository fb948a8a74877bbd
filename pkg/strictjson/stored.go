package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// DecodeStored reads a document that was accepted before. Members that this
// version does not read, which another version or an importer may have left in
// it, are passed over; everything else is as strict as Decode. With problems the
// value is nil.
func DecodeStored[T any](text []byte, o Options) (*T, []fault.Problem) {
	v, problems := Decode[T](text, o)
	if v != nil || slices.ContainsFunc(problems, func(p fault.Problem) bool { return !Unread(p.Code) }) {
		return v, problems
	}
	var pointers []string
	for _, p := range problems {
		pointers = append(pointers, p.Path)
	}
	rest, err := Without(text, pointers)
	if err != nil {
		return nil, problems
	}
	return Decode[T](rest, o)
}

// Unread tells whether a problem says that nothing reads a member.
func Unread(code fault.Code) bool {
	return code == CodeUnknownField || code == CodeNotAvailable
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
