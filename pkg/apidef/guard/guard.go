// Package guard reads from the options of the filter auth what they ask of a caller.
package guard

import "encoding/json"

// Need is what a caller has to show.
type Need int

// The needs.
const (
	Undecided  Need = iota // auth is absent, or not what the filter reads
	Nothing                // everybody is let in: open, anonymous, or "off"
	Credential             // one of the methods, or all of them
)

// Of reads the options of the filter auth; nil is that it is absent.
func Of(options json.RawMessage) Need {
	if string(options) == `"off"` {
		return Nothing
	}
	var auth struct {
		Open      bool              `json:"open"`
		Anonymous bool              `json:"anonymous"`
		Any       []json.RawMessage `json:"any"`
		All       []json.RawMessage `json:"all"`
	}
	if len(options) == 0 || json.Unmarshal(options, &auth) != nil {
		return Undecided
	}
	switch {
	case auth.Open || auth.Anonymous:
		return Nothing
	case len(auth.Any)+len(auth.All) > 0:
		return Credential
	}
	return Undecided
}
