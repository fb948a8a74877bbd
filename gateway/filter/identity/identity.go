// Package identity tells the backend who calls, in headers that only the gateway
// can set: what a client sends under their names never reaches the backend, in
// no spelling, also when nobody is identified.
package identity

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// Config are the options.
type Config struct {
	// Headers maps header names to values with variables, such as
	// {"X-User-Id": "{subject}"}. A header whose value is empty is not sent.
	Headers map[string]string `json:"headers,omitempty"`
}

// Spec makes the filter.
func Spec() filter.Spec {
	return filter.Define("identity", build).In(filter.Shape).Refuses(400, 500).
		About("Tells the backend who calls, in headers that clients cannot forge",
			"호출자가 누구인지 위조할 수 없는 헤더로 백엔드에 알립니다")
}

type identity struct {
	fields []filter.FieldValue
}

func build(c Config) (any, error) {
	var ps filter.Problems
	fields, err := filter.ParseFields(c.Headers, filter.ToUpstream)
	ps.Add("/headers", err)
	if err := ps.Err(); err != nil || len(fields) == 0 {
		return nil, err
	}
	return &identity{fields}, nil
}

// OwnedHeaders names the headers that the chain takes from clients.
func (f *identity) OwnedHeaders() []string {
	names := make([]string, len(f.fields))
	for i := range f.fields {
		names[i] = f.fields[i].Name
	}
	return names
}

// Request sets the headers.
func (f *identity) Request(x *filter.Exchange) error {
	h := &x.Request.Header
	for i := range f.fields {
		v, err := f.fields[i].Value.Expand(x)
		if err != nil {
			return err
		}
		if v == "" {
			h.Del(f.fields[i].Name)
			continue
		}
		h.Set(f.fields[i].Name, v)
	}
	if x.Explain != nil {
		x.Explain.Note(true, nil)
	}
	return nil
}

var _ filter.HeaderOwner = (*identity)(nil)
