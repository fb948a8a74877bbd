package filter

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Problem is a build error that names a field of the options by its JSON
// pointer (RFC 6901), such as "/set/X-Env". The sentence says the mend.
func Problem(path string, code fault.Code, format string, args ...any) error {
	f := fault.New(fault.Unprocessable, code, format, args...)
	f.Problems = []fault.Problem{{Code: code, Path: path, Message: f.Message, Severity: fault.Error}}
	return f
}

// Problems collects build errors, so that an author sees all of them at once.
type Problems struct{ list []fault.Problem }

// Add notes an error under a path. Problems inside err keep their own path
// behind it; nil is ignored.
func (p *Problems) Add(path string, err error) {
	if err != nil {
		p.list = append(p.list, ProblemsOf(path, err)...)
	}
}

// Addf notes a problem under a path.
func (p *Problems) Addf(path string, code fault.Code, format string, args ...any) {
	p.Add("", Problem(path, code, format, args...))
}

// Err is nil without problems, else a *fault.Fault that holds them.
func (p *Problems) Err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &fault.Fault{Kind: fault.Unprocessable, Code: p.list[0].Code, Message: p.list[0].Message, Problems: p.list}
}

// ProblemsOf turns a build error into problems below path.
func ProblemsOf(path string, err error) []fault.Problem {
	f := fault.As(err)
	switch {
	case f == nil:
		return []fault.Problem{{Code: "filter.invalid", Path: path, Message: err.Error(), Severity: fault.Error}}
	case len(f.Problems) == 0:
		return []fault.Problem{{Code: f.Code, Path: path, Message: f.Message, Severity: fault.Error}}
	}
	out := make([]fault.Problem, len(f.Problems))
	for i, q := range f.Problems {
		q.Path = path + q.Path
		out[i] = q
	}
	return out
}

// Pointer escapes one member name for a JSON pointer (RFC 6901, 3).
func Pointer(member string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(member)
}

// decodeProblem gives the decoder's errors a path and a code.
func decodeProblem(err error) error {
	if t := (*json.UnmarshalTypeError)(nil); errors.As(err, &t) {
		path := ""
		for part := range strings.SplitSeq(t.Field, ".") {
			if part != "" {
				path += Pointer(part)
			}
		}
		return Problem(path, "wrong_type", "A JSON %s does not fit here.", t.Value)
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return Problem("", "unknown_field", "There is no option named %s.", name)
	}
	return Problem("", "malformed", "The options are not valid JSON: %v.", err)
}
