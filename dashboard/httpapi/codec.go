package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// maxBody is the largest request body in bytes.
const maxBody = 4 << 20

// Sizes of a page of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// body reads the request's body, which must be JSON by its Content-Type and not
// compressed (RFC 9110, 15.5.16).
func (c *call) body(types ...string) ([]byte, error) {
	for coding := range strings.SplitSeq(strings.Join(c.r.Header.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			c.w.Header().Set("Accept-Encoding", "identity")
			return nil, fault.New(fault.Unsupported, "body.encoding", "the body has Content-Encoding: %s; send it as it is, without a coding", brief(coding)).
				With("encoding", brief(coding))
		}
	}
	if h := c.r.Header.Get("Content-Type"); h != "" {
		kind, params, err := mime.ParseMediaType(h)
		charset := params["charset"]
		if err != nil || !slices.Contains(append(types, "application/json"), kind) || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, fault.New(fault.Unsupported, "body.type", "send the body as JSON with Content-Type: application/json")
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fault.New(fault.Invalid, "body.missing", "the request has no body; send a JSON document")
	}
	return text, nil
}

// decode reads the body strictly into a new T.
func decode[T any](c *call) (*T, error) {
	text, err := c.body("application/merge-patch+json")
	if err != nil {
		return nil, err
	}
	v, problems := strictjson.Decode[T](text, strictjson.Options{MaxSize: maxBody})
	if len(problems) > 0 {
		return nil, &fault.Fault{Kind: fault.Invalid, Code: "body.invalid", Message: "the body cannot be read as it is; see problems", Problems: problems}
	}
	return v, nil
}

// query checks that the request has no query parameters but these, each once.
func (c *call) query(known ...string) error {
	for name, values := range c.r.URL.Query() {
		if !slices.Contains(known, name) {
			f := fault.New(fault.Invalid, "query.unknown", "there is no query parameter %q here", brief(name)).With("name", brief(name))
			if near := strictjson.Nearest(name, known); near != "" {
				f.Message += fmt.Sprintf("; the nearest is %q", near)
				_ = f.With("nearest", near)
			}
			return f
		}
		if len(values) > 1 {
			return fault.New(fault.Invalid, "query.repeated", "the query parameter %q stands more than once; send it once", name).With("name", name)
		}
	}
	return nil
}

func (c *call) param(name string) string { return c.r.URL.Query().Get(name) }

// dryRun tells whether nothing is to be stored.
func (c *call) dryRun() (bool, error) {
	switch v := c.param("dry_run"); v {
	case "":
		return false, nil
	case "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	default:
		return false, badQuery("dry_run", "dry_run is 1 or 0")
	}
}

// limit is the size of a page.
func (c *call) limit() (int, error) {
	text := c.param("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, badQuery("limit", fmt.Sprintf("limit is a number from 1 to %d", maxLimit))
	}
	return n, nil
}

// oneOf is a query parameter that has one of some values, or "".
func (c *call) oneOf(name string, allowed ...string) (string, error) {
	v := c.param(name)
	if v != "" && !slices.Contains(allowed, v) {
		return "", badQuery(name, name+" is one of "+strings.Join(allowed, ", "))
	}
	return v, nil
}

func badQuery(name, message string) error {
	return fault.New(fault.Invalid, "query.invalid", "%s", message).With("name", name)
}

// page is the answer of every list.
type page[T any] struct {
	Items      []T    `json:"items"`
	Next       string `json:"next"`       // cursor of the next page; "" on the last one
	Total      int    `json:"total"`      // items of all pages
	TotalExact bool   `json:"totalExact"` // false: there are at least that many
}

func newPage[T any](items []T, next string, total int) page[T] {
	if items == nil {
		items = []T{}
	}
	return page[T]{items, next, total, true}
}

// raw is JSON text that is sent byte for byte.
type raw []byte

// json answers with a value. The server keeps the body of an answer to HEAD to
// itself and sends its length.
func (c *call) json(status int, v any) error {
	text, err := encode(v)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(append(text, '\n'))
	return nil
}

func (c *call) noContent() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// encode makes JSON; the standard library would compact what is raw.
func encode(v any) ([]byte, error) {
	if text, ok := v.(raw); ok {
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

// withObject puts a stored document, byte for byte, before the members of rest,
// which must be a struct with at least one. A nil document is null.
func withObject(document []byte, rest any) (raw, error) {
	tail, err := encode(rest)
	if err != nil {
		return nil, err
	}
	if document == nil {
		document = []byte("null")
	}
	return slices.Concat([]byte(`{"object":`), document, []byte(","), tail[1:]), nil
}

// rawPage is a page whose items are sent byte for byte.
func rawPage(items []raw, next string, total int) (raw, error) {
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

// writeJSON answers where there is no call.
func writeJSON(w http.ResponseWriter, status int, kind string, v any) {
	text, err := encode(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// warnings makes a list that is never null.
func warnings(ps []fault.Problem) []fault.Problem {
	if ps == nil {
		return []fault.Problem{}
	}
	return ps
}

// brief keeps a hostile value from filling a message.
func brief(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
