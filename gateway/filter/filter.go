// Package filter is the contract between the gateway and what it does to a
// request. A filter is built once per API (or endpoint) from its options and
// then sees each exchange twice: Request before the upstream is called, Response
// on the way back. Either half may be missing.
//
// Read filter.go for the contract, exchange.go for what a filter sees, reject.go
// for how it refuses, respond.go for how it answers by itself, vars.go for
// values with variables. Each filter is a folder below; chain/order.go says in
// which order they run.
package filter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// RequestPhase is the half before the upstream. An error stops the chain: a
// *Reject is an answer, any other error is a 500. A filter that answers by itself
// sets Exchange.Response, which also stops the chain.
type RequestPhase interface{ Request(*Exchange) error }

// ResponsePhase is the half on the way back, run in reverse order for filters
// that were entered, whatever made the response. An error replaces the response.
// Where the upstream breaks in the body before a byte left for the client, the
// error answer in the response's place comes the same way once more.
type ResponsePhase interface{ Response(*Exchange) error }

// Options is a filter without a phase: serve or meter read it from the chain.
type Options interface {
	// ReadBy names the part of the gateway that reads the options.
	ReadBy() string
}

// HeaderOwner is a filter that owns request headers: only the gateway may set
// them. The chain removes what a client sent under these names, in every
// spelling that a backend might take for them, once the caller is identified,
// and does so even where an endpoint replaces the filter or turns it off.
type HeaderOwner interface{ OwnedHeaders() []string }

// CredentialOwner is a filter that reads credentials from requests. What stands in
// these places is never recorded.
type CredentialOwner interface {
	// Credentials lists the places as "header:NAME" and "query:NAME". Cookies are
	// credentials without being named.
	Credentials() []string
}

// ErrorRenderer makes the body of an error answer of the gateway.
type ErrorRenderer interface {
	// RenderError returns the answer's status, media type and body.
	RenderError(ErrorData) (status int, contentType string, body []byte, err error)
}

// ErrorBodies is the Options that finds the renderer for a status.
type ErrorBodies interface {
	Options
	// ErrorBody returns the renderer for answers with that status, if there is one.
	ErrorBody(status int) (ErrorRenderer, bool)
}

// ErrorData is what the template of an error body may use.
type ErrorData struct {
	Status    int    // of the answer before the template may change it
	Code      string // stable, such as "auth.missing"
	Message   string // one sentence for the caller
	RequestID string
	API       string // name of the API, empty where none matched
	Path      string // normalised path of the request
}

// Stage is a section of the chain, in the order of gateway.md's table.
type Stage string

// The stages.
const (
	Receive      Stage = "receive"
	Protect      Stage = "protect"
	CORS         Stage = "cors"
	Identify     Stage = "identify"
	Authorise    Stage = "authorise"
	Limit        Stage = "limit"
	Check        Stage = "check"
	Shape        Stage = "shape"
	Answer       Stage = "answer"
	RespondStage Stage = "respond"
	Record       Stage = "record"
)

// Text is a sentence in the console's languages.
type Text struct {
	EN string `json:"en"`
	KO string `json:"ko"`
}

// Spec is one kind of filter. Make it with Define and the methods that return a
// changed copy.
type Spec struct {
	Name        string // as in a definition's filters
	Stage       Stage
	Summary     Text
	StatusCodes []int        // that it may refuse with
	APIOnly     bool         // an endpoint may not override it
	Always      bool         // runs for every API, with its defaults where not named
	MayBeOff    bool         // a whole API may turn it off all the same
	Hidden      bool         // has no options in a definition
	Config      reflect.Type // the options' struct; its comments are the manual, its tags the schema

	build func(json.RawMessage) (any, error)
}

// Define makes a Spec whose options are a C. build checks them and returns a
// RequestPhase, a ResponsePhase or both, or an Options; nil means that with these
// options there is nothing to do. Options are decoded strictly: an unknown key is
// an error. Build errors are made by Problem or Problems where they name a field.
func Define[C any](name string, build func(C) (any, error)) Spec {
	return Spec{
		Name:   name,
		Config: reflect.TypeFor[C](),
		build: func(raw json.RawMessage) (any, error) {
			var c C
			if len(raw) > 0 {
				if err := decode(raw, &c); err != nil {
					return nil, err
				}
			}
			return build(c)
		},
	}
}

// decode reads exactly one JSON value and refuses keys that T does not have.
func decode(raw json.RawMessage, c any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return decodeProblem(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Problem("", "malformed", "The options hold more than one JSON value.")
	}
	return nil
}

// In puts the filter into a stage.
func (s Spec) In(stage Stage) Spec { s.Stage = stage; return s }

// About sets the one-line summaries.
func (s Spec) About(en, ko string) Spec { s.Summary = Text{en, ko}; return s }

// Refuses lists the statuses that it may answer with.
func (s Spec) Refuses(codes ...int) Spec { s.StatusCodes = codes; return s }

// ForAPI forbids overriding it at an endpoint.
func (s Spec) ForAPI() Spec { s.APIOnly = true; return s }

// EveryAPI runs it for every API, with defaults where a definition does not name it.
func (s Spec) EveryAPI() Spec { s.Always = true; return s }

// Removable lets a whole API turn off a filter that every API has.
func (s Spec) Removable() Spec { s.MayBeOff = true; return s }

// NoOptions hides it from definitions; it is then run for every API.
func (s Spec) NoOptions() Spec { s.Hidden, s.Always = true, true; return s }

// Build makes the two halves from raw options; either may be nil.
func (s Spec) Build(raw json.RawMessage) (RequestPhase, ResponsePhase, error) {
	v, err := s.Value(raw)
	if err != nil || v == nil {
		return nil, nil, err
	}
	req, _ := v.(RequestPhase)
	resp, _ := v.(ResponsePhase)
	return req, resp, nil
}

// Value makes the filter from raw options: a RequestPhase, a ResponsePhase,
// both, or an Options; nil where there is nothing to do.
func (s Spec) Value(raw json.RawMessage) (any, error) {
	v, err := s.build(raw)
	if err != nil || v == nil {
		return nil, err
	}
	switch v.(type) {
	case RequestPhase, ResponsePhase, Options:
		return v, nil
	}
	return nil, fmt.Errorf("filter %s has neither a phase nor options that another part reads", s.Name)
}
