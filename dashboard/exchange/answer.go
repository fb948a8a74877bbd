package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Page is the answer of every list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	Next       string `json:"next"`       // cursor of the next page; "" on the last one
	Total      int    `json:"total"`      // items of all pages
	TotalExact bool   `json:"totalExact"` // false: there are at least that many
}

// NewPage makes a page whose total is exact; its items are never null.
func NewPage[T any](items []T, next string, total int) Page[T] {
	if items == nil {
		items = []T{}
	}
	return Page[T]{items, next, total, true}
}

// Raw is JSON text that is sent byte for byte.
type Raw []byte

// JSON answers with a value. The server keeps the body of an answer to HEAD to
// itself and sends its length.
func (e Exchange) JSON(status int, v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	e.W.Header().Set("Content-Type", "application/json")
	e.W.WriteHeader(status)
	_, _ = e.W.Write(append(text, '\n'))
	return nil
}

// NoContent answers 204.
func (e Exchange) NoContent() error {
	e.W.WriteHeader(http.StatusNoContent)
	return nil
}

// encode makes JSON; the standard library would compact what is raw.
func encode(v any) ([]byte, error) {
	if text, ok := v.(Raw); ok {
		return text, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// WithObject puts a stored document, byte for byte, before the members of rest,
// which must be a struct with at least one. A nil document is null.
func WithObject(document []byte, rest any) (Raw, error) {
	tail, err := encode(rest)
	if err != nil {
		return nil, err
	}
	if document == nil {
		document = []byte("null")
	}
	return slices.Concat([]byte(`{"object":`), document, []byte(","), tail[1:]), nil
}

// RawPage is a page whose items are sent byte for byte.
func RawPage(items []Raw, next string, total int) (Raw, error) {
	tail, err := encode(struct {
		Next       string `json:"next"`
		Total      int    `json:"total"`
		TotalExact bool   `json:"totalExact"`
	}{next, total, true})
	if err != nil {
		return nil, err
	}
	out := []byte(`{"items":[`)
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return slices.Concat(out, []byte("],"), tail[1:]), nil
}

// WriteJSON answers where there is no call.
func WriteJSON(w http.ResponseWriter, status int, kind string, v any) {
	text, err := encode(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// Warnings makes a list that is never null.
func Warnings(ps []fault.Problem) []fault.Problem {
	if ps == nil {
		return []fault.Problem{}
	}
	return ps
}
