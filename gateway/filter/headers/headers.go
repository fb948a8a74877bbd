// Package headers sets, adds and removes header fields of the request to the
// backend (requestHeaders) and of the response to the client (responseHeaders).
package headers

import (
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// RequestConfig are the options of requestHeaders. Fields are removed first, then
// set, then added; within each, by name in alphabetical order.
type RequestConfig struct {
	// Set replaces fields. Values may hold variables, such as "{client.ip}"; one
	// without a value is empty.
	Set map[string]string `json:"set,omitempty"`
	// Add appends a line and keeps those that are there.
	Add map[string]string `json:"add,omitempty"`
	// Remove drops every line of these fields.
	Remove []string `json:"remove,omitempty" schema:"maxItems=100"`
}

// ResponseConfig are the options of responseHeaders; what they do is the same on
// the way back, for answers of the gateway too.
type ResponseConfig struct {
	// Set replaces fields. Values may hold variables; one without a value is empty.
	Set map[string]string `json:"set,omitempty"`
	// Add appends a line and keeps those that are there.
	Add map[string]string `json:"add,omitempty"`
	// Remove drops every line of these fields.
	Remove []string `json:"remove,omitempty" schema:"maxItems=100"`
}

// RequestSpec makes the filter requestHeaders.
func RequestSpec() filter.Spec {
	return filter.Define("requestHeaders", func(c RequestConfig) (any, error) {
		e, err := compile(c.Set, c.Add, c.Remove, filter.ToUpstream)
		if err != nil || e == nil {
			return nil, err
		}
		return (*request)(e), nil
	}).In(filter.Shape).Refuses(400, 500).
		About("Sets, adds and removes headers of the request to the backend",
			"백엔드로 보내는 요청 헤더를 설정, 추가, 제거합니다")
}

// ResponseSpec makes the filter responseHeaders.
func ResponseSpec() filter.Spec {
	return filter.Define("responseHeaders", func(c ResponseConfig) (any, error) {
		e, err := compile(c.Set, c.Add, c.Remove, filter.ToClient)
		if err != nil || e == nil {
			return nil, err
		}
		return (*response)(e), nil
	}).In(filter.RespondStage).Refuses(400, 500).
		About("Sets, adds and removes headers of the response to the client",
			"클라이언트로 보내는 응답 헤더를 설정, 추가, 제거합니다")
}

type edits struct {
	set, add []filter.FieldValue
	remove   []string
}

type (
	request  edits
	response edits
)

// Request edits what the backend gets.
func (f *request) Request(x *filter.Exchange) error {
	return (*edits)(f).apply(x, &x.Request.Header)
}

// Response edits what the client gets.
func (f *response) Response(x *filter.Exchange) error {
	return (*edits)(f).apply(x, &x.Response.Header)
}

func compile(set, add map[string]string, remove []string, d filter.Direction) (*edits, error) {
	var ps filter.Problems
	e := &edits{remove: remove}
	var err error
	e.set, err = filter.ParseFields(set, d)
	ps.Add("/set", err)
	e.add, err = filter.ParseFields(add, d)
	ps.Add("/add", err)
	for i, name := range remove {
		at := "/remove/" + strconv.Itoa(i)
		ps.Add(at, filter.CheckField(name, d))
		for _, f := range e.set {
			if strings.EqualFold(f.Name, name) {
				ps.Addf(at, "header.twice", "The header %q is set, which replaces it; remove it from one of the two lists.", name)
			}
		}
	}
	if err := ps.Err(); err != nil || len(e.set)+len(e.add)+len(e.remove) == 0 {
		return nil, err
	}
	return e, nil
}

func (e *edits) apply(x *filter.Exchange, h *message.Header) error {
	for _, name := range e.remove {
		h.Del(name)
	}
	if err := filter.SetFields(x, h, e.set); err != nil {
		return err
	}
	for i := range e.add {
		v, err := e.add[i].Value.Expand(x)
		if err != nil {
			return err
		}
		h.Add(e.add[i].Name, v)
	}
	if x.Explain != nil {
		x.Explain.Note(true, nil)
	}
	return nil
}
