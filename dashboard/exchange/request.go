// Package exchange is what all handlers of the REST API do with a request and its
// answer: bodies are read strictly, query parameters are known or refused, pages
// have one shape, and stored documents go out byte for byte.
package exchange

import (
	"bytes"
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

// Exchange is one request and the writer of its answer.
type Exchange struct {
	W http.ResponseWriter
	R *http.Request
}

// MaxBody is the largest request body in bytes.
const MaxBody = 4 << 20

// Sizes of a page of a list.
const (
	defaultLimit = 50
	maxLimit     = 200
)

// Body reads the request's body, of at most MaxBody, which must be JSON by its
// Content-Type (or one of types) and not compressed (RFC 9110, 15.5.16).
func (e Exchange) Body(types ...string) ([]byte, error) {
	for coding := range strings.SplitSeq(strings.Join(e.R.Header.Values("Content-Encoding"), ","), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
			e.W.Header().Set("Accept-Encoding", "identity")
			return nil, fault.New(fault.Unsupported, "body.encoding", "the body has Content-Encoding: %s; send it as it is, without a coding", Brief(coding)).
				With("encoding", Brief(coding))
		}
	}
	if h := e.R.Header.Get("Content-Type"); h != "" {
		kind, params, err := mime.ParseMediaType(h)
		charset := params["charset"]
		if err != nil || !slices.Contains(append(types, "application/json"), kind) || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, fault.New(fault.Unsupported, "body.type", "send the body as JSON with Content-Type: application/json")
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(e.W, e.R.Body, MaxBody))
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fault.New(fault.Invalid, "body.missing", "the request has no body; send a JSON document")
	}
	return text, nil
}

// Decode reads the body strictly into a new T.
func Decode[T any](e Exchange) (*T, error) {
	text, err := e.Body("application/merge-patch+json")
	if err != nil {
		return nil, err
	}
	v, problems := strictjson.Decode[T](text, strictjson.Options{MaxSize: MaxBody})
	if len(problems) > 0 {
		return nil, &fault.Fault{Kind: fault.Invalid, Code: "body.invalid", Message: "the body cannot be read as it is; see problems", Problems: problems}
	}
	return v, nil
}

// Query checks that the request has no query parameters but these, each once.
func (e Exchange) Query(known ...string) error {
	for name, values := range e.R.URL.Query() {
		if !slices.Contains(known, name) {
			f := fault.New(fault.Invalid, "query.unknown", "there is no query parameter %q here", Brief(name)).With("name", Brief(name))
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

// Param is the value of a query parameter; "" where it is absent.
func (e Exchange) Param(name string) string { return e.R.URL.Query().Get(name) }

// DryRun tells whether nothing is to be stored: the parameter dry_run, default no.
func (e Exchange) DryRun() (bool, error) {
	switch v := e.Param("dry_run"); v {
	case "":
		return false, nil
	case "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	default:
		return false, BadQuery("dry_run", "dry_run is 1 or 0")
	}
}

// Limit is the size of a page: the parameter limit, 1 to 200, default 50.
func (e Exchange) Limit() (int, error) {
	text := e.Param("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, BadQuery("limit", fmt.Sprintf("limit is a number from 1 to %d", maxLimit))
	}
	return n, nil
}

// OneOf is a query parameter that has one of some values, or "".
func (e Exchange) OneOf(name string, allowed ...string) (string, error) {
	v := e.Param(name)
	if v != "" && !slices.Contains(allowed, v) {
		return "", BadQuery(name, name+" is one of "+strings.Join(allowed, ", "))
	}
	return v, nil
}

// BadQuery is the fault of a query parameter with a value that cannot be.
func BadQuery(name, message string) error {
	return fault.New(fault.Invalid, "query.invalid", "%s", message).With("name", name)
}

// Brief keeps a hostile value from filling a message.
func Brief(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
