package objects

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// keep turns the problems of members that nothing reads into warnings where the
// stored text has the very same bytes at the same place. It returns the pointers
// of these members.
func keep(problems []fault.Problem, stored, text []byte) (kept []string) {
	if stored == nil {
		return nil
	}
	for i, p := range problems {
		if !strictjson.Unread(p.Code) || p.Severity != fault.Error {
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
	for _, token := range strictjson.Tokens(pointer) {
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
