package chain

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/record"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Build compiles one chain from the options of an API and, after them, of an
// endpoint. A later level replaces the whole filter of an earlier one; "off"
// removes it. Filters that every API has run with their defaults where no level
// names them.
//
// The problems' paths are JSON pointers into the object that holds the last
// level ("/filters/cors/origins"). Build the API's own chain first: then what is
// wrong there is reported once and not again for each endpoint.
func Build(order []filter.Spec, levels ...apidef.Filters) (*Chain, []fault.Problem) {
	b := builder{levels: levels, chain: &Chain{tapped: -1}}
	b.unknown(order)
	for _, s := range order {
		b.owned(s)
	}
	for _, s := range order {
		if !early(s.Stage) {
			b.strip()
		}
		b.add(s)
	}
	b.strip()
	b.hide()
	if len(b.chain.steps) > filter.MaxFilters {
		b.problem("", "filter.too_many", "An API may use at most %d filters.", filter.MaxFilters)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.chain, nil
}

// Unmatched compiles the chain for requests that belong to no API: the stages
// receive and record with their defaults, so that they have a request id and a
// client address, and are recorded.
func Unmatched(order []filter.Spec) (*Chain, []fault.Problem) {
	receive := slices.DeleteFunc(slices.Clone(order), func(s filter.Spec) bool {
		return s.Stage != filter.Receive && s.Stage != filter.Record || !s.Always
	})
	return Build(receive)
}

type builder struct {
	levels   []apidef.Filters
	chain    *Chain
	owner    string   // the filter whose headers are stripped
	names    []string // that filters of any level own
	secrets  []string // places where filters of any level look for credentials
	problems []fault.Problem
}

func (b *builder) problem(path string, code fault.Code, format string, args ...any) {
	b.problems = append(b.problems, filter.ProblemsOf("", filter.Problem(path, code, format, args...))...)
}

// unknown refuses names that no filter has, at every level.
func (b *builder) unknown(order []filter.Spec) {
	for i, level := range b.levels {
		for _, name := range slices.Sorted(maps.Keys(level)) {
			at := slices.IndexFunc(order, func(s filter.Spec) bool { return s.Name == name && !s.Hidden })
			switch {
			case at < 0:
				b.problem("/filters"+filter.Pointer(name), "filter.unknown", "There is no filter named %q.", name)
			case i > 0 && order[at].APIOnly:
				b.problem("/filters"+filter.Pointer(name), "filter.api_only", "The filter %q is set for the whole API, not for an endpoint.", name)
			}
		}
	}
}

// add puts one filter into the chain, unless it has nothing to do.
func (b *builder) add(s filter.Spec) {
	raw, named := b.options(s)
	if !named && !s.Always {
		return
	}
	if off(raw) {
		if s.Always && !s.MayBeOff && len(b.levels) < 2 {
			b.problem("/filters"+filter.Pointer(s.Name), "filter.required", "The filter %q cannot be off for a whole API.", s.Name)
		}
		return
	}
	v, err := s.Value(raw)
	if err != nil {
		b.problems = append(b.problems, filter.ProblemsOf("/filters"+filter.Pointer(s.Name), err)...)
		return
	}
	if v == nil {
		return
	}
	if e, ok := v.(filter.ErrorBodies); ok {
		b.chain.errors = e
	}
	recording, ok := v.(interface{ Options() *record.Recording })
	if ok {
		b.chain.recording = recording.Options()
	}
	req, _ := v.(filter.RequestPhase)
	resp, _ := v.(filter.ResponsePhase)
	if req != nil || resp != nil {
		if ok {
			b.chain.tapped = len(b.chain.steps)
		}
		b.chain.steps = append(b.chain.steps, step{s.Name, s.Stage, req, resp})
	}
}

// options returns what the last level that names the filter says.
func (b *builder) options(s filter.Spec) (json.RawMessage, bool) {
	for _, level := range slices.Backward(b.levels) {
		if raw, ok := level[s.Name]; ok && !s.Hidden {
			return raw, true
		}
	}
	return nil, false
}

// hide tells the recording where credentials stand, those of replaced levels
// included: a caller may send a key to an endpoint that wants none.
func (b *builder) hide() {
	if r := b.chain.recording; r != nil {
		if err := r.Hide(b.secrets); err != nil {
			b.problems = append(b.problems, filter.ProblemsOf("/filters/record", err)...)
		}
	}
}

// owned collects the headers that a filter of any level owns, and the places where
// it looks for credentials. Its build errors are left to add: a level that is replaced cannot be mended at this one.
func (b *builder) owned(s filter.Spec) {
	for _, level := range b.levels {
		raw, ok := level[s.Name]
		if !ok || off(raw) {
			continue
		}
		if v, err := s.Value(raw); err == nil {
			if o, ok := v.(filter.HeaderOwner); ok {
				b.owner, b.names = s.Name, append(b.names, o.OwnedHeaders()...)
			}
			if o, ok := v.(filter.CredentialOwner); ok {
				b.secrets = append(b.secrets, o.Credentials()...)
			}
		}
	}
}

// strip adds the step that removes owned headers, once.
func (b *builder) strip() {
	if len(b.names) > 0 {
		b.chain.steps = append(b.chain.steps, step{b.owner, filter.Identify, newStripper(b.names), nil})
		b.names = nil
	}
}

// early tells whether a stage comes before the caller is known.
func early(s filter.Stage) bool {
	switch s {
	case filter.RespondStage, filter.Record, filter.Receive, filter.Protect, filter.CORS, filter.Identify:
		return true
	}
	return false
}

// off tells whether options are the JSON string "off".
func off(raw json.RawMessage) bool {
	var s string
	return len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil && s == "off"
}
