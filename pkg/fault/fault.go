// Package fault is the one shape of an error that a person or a program acts
// on: a stable code, a sentence that names the mend, and where in the input it
// is. It knows no HTTP; pkg/httpd and gateway/serve render it.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Code is a stable, dotted, lower-case identifier of a kind of fault, such as
// "api.path_taken". Programs branch on it and the console translates it.
type Code string

// Kind says what class of answer a fault deserves. Renderers map it to a status.
type Kind uint8

// The kinds, with the HTTP status that management APIs give them.
const (
	Internal        Kind = iota // 500: our fault, details only in the log
	Invalid                     // 400: the input is malformed
	Unprocessable               // 422: well formed, but breaks a rule
	Unauthenticated             // 401
	Denied                      // 403
	NotFound                    // 404
	Conflict                    // 409: clashes with another object
	Stale                       // 412: If-Match names an older version
	Missing                     // 428: a precondition is required
	TooMany                     // 429
	TooLarge                    // 413
	Unavailable                 // 503: something outside is down
	Unsupported                 // 415: the body is in a format or coding that is not read
)

// Severity of one problem.
type Severity string

// Problems with severity Error stop a write; warnings do not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one finding in an input.
type Problem struct {
	Code     Code           `json:"code"`
	Path     string         `json:"path"`             // JSON pointer (RFC 6901) into the input; "" is the whole
	Message  string         `json:"message"`          // one English sentence that says what is wrong and the mend
	Params   map[string]any `json:"params,omitempty"` // values that a translation of Code needs
	Severity Severity       `json:"severity"`
	Fix      string         `json:"fix,omitempty"` // a value that would mend it, such as the nearest known name
}

// Fault is an error with a code. Problems is filled where several findings are
// reported at once.
type Fault struct {
	Kind     Kind
	Code     Code
	Message  string // for people; never holds a secret
	Params   map[string]any
	Problems []Problem
	Retry    int   // seconds after which a retry may help; 0 unknown
	Err      error // the cause, for the log only
}

// New makes a fault.
func New(kind Kind, code Code, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault with a cause.
func Wrap(err error, kind Kind, code Code, format string, args ...any) *Fault {
	f := New(kind, code, format, args...)
	f.Err = err
	return f
}

// With sets a parameter and returns f.
func (f *Fault) With(name string, value any) *Fault {
	if f.Params == nil {
		f.Params = map[string]any{}
	}
	f.Params[name] = value
	return f
}

// At says where in the input the fault lies, as the one problem in it, and
// returns f. The pointer is a JSON pointer (RFC 6901). Call it after With.
func (f *Fault) At(pointer string) *Fault {
	f.Problems = []Problem{{Code: f.Code, Path: pointer, Message: f.Message, Params: f.Params, Severity: Error}}
	return f
}

// Error is the message with its code, its problems and its cause.
func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)", f.Message, f.Code)
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "; %s", p.Path)
		if p.Message != f.Message {
			fmt.Fprintf(&b, ": %s", p.Message)
		}
	}
	if f.Err != nil {
		fmt.Fprintf(&b, ": %v", f.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// As returns the fault in err's chain, or nil.
func As(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// Is tells whether err's chain holds a fault of that code.
func Is(err error, code Code) bool {
	f := As(err)
	return f != nil && f.Code == code
}

// FromProblems makes an Unprocessable fault of the problems that are errors, or
// nil if there is none.
func FromProblems(code Code, message string, ps []Problem) error {
	for _, p := range ps {
		if p.Severity == Error {
			return &Fault{Kind: Unprocessable, Code: code, Message: message, Problems: ps}
		}
	}
	return nil
}
