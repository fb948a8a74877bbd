// Package httpd is what our own HTTP listeners and outbound calls share: a
// server that says which port is taken and ends gracefully, problem documents
// (RFC 9457), health checks that never block, and the one guarded client for
// fetching what an operator or a definition names.
package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Problem is the body of every error answer, application/problem+json
// (RFC 9457). Programs branch on Code; the console translates it.
type Problem struct {
	Type      string          `json:"type"`  // always "about:blank": the code says more
	Title     string          `json:"title"` // one English sentence
	Status    int             `json:"status"`
	Code      fault.Code      `json:"code"`
	RequestID string          `json:"requestId,omitempty"`
	Params    map[string]any  `json:"params,omitempty"` // values that a translation of Code needs
	Problems  []fault.Problem `json:"problems,omitempty"`
}

// InternalCode is the code of every error that is no fault: what happened is
// in the log, under the request's id, and nowhere else.
const InternalCode fault.Code = "internal"

type requestIDKey struct{}

// WithRequestID returns a context that carries a request's id for WriteProblem.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID is the id that WithRequestID put into ctx, or empty.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// ProblemOf is the document for an error. Anything but a fault, and a fault of
// kind Internal, is told as "internal" without details. A request body that
// went over an http.MaxBytesReader's limit is "body.too_large".
func ProblemOf(err error) Problem {
	f := fault.As(err)
	var large *http.MaxBytesError
	if f == nil && errors.As(err, &large) {
		f = fault.New(fault.TooLarge, "body.too_large", "The body is larger than %d bytes.", large.Limit).With("limit", large.Limit)
	}
	if f == nil || f.Kind == fault.Internal {
		p := Problem{
			Type: "about:blank", Status: http.StatusInternalServerError, Code: InternalCode,
			Title: "Something went wrong on our side; the log has the details under this request's id.",
		}
		if f != nil && f.Code != "" {
			p.Code = f.Code
		}
		return p
	}
	return Problem{Type: "about:blank", Title: f.Message, Status: StatusCode(f.Kind), Code: f.Code, Params: f.Params, Problems: f.Problems}
}

// WriteProblem answers with the problem document of an error, and logs what is
// not told to the client with slog.Default. Use Problems to log elsewhere.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	Problems{}.Write(w, r, err)
}

// Problems writes problem documents and logs to Log; nil is slog.Default.
type Problems struct {
	Log *slog.Logger
}

// Write answers with the problem document of an error. Retry-After is set where
// the fault knows when to come back. What is written before is lost or wrong:
// call it instead of an answer, not after one has begun.
func (p Problems) Write(w http.ResponseWriter, r *http.Request, err error) {
	doc := ProblemOf(err)
	doc.RequestID = RequestID(r.Context())
	if doc.Status >= http.StatusInternalServerError {
		p.log(r, doc, err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	// What a handler had in mind for its answer is not true of this one.
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	h.Del("Etag")
	if f := fault.As(err); f != nil && f.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(f.Retry))
	}
	body, jerr := json.Marshal(doc)
	if jerr != nil { // a parameter that JSON cannot hold
		doc.Params, doc.Problems = nil, nil
		body, jerr = json.Marshal(doc)
	}
	w.WriteHeader(doc.Status)
	if jerr == nil && r.Method != http.MethodHead {
		_, _ = w.Write(append(body, '\n'))
	}
}

func (p Problems) log(r *http.Request, doc Problem, err error) {
	log := p.Log
	if log == nil {
		log = slog.Default()
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client went away; nobody is waiting
	}
	log.ErrorContext(r.Context(), "request failed", "error", err.Error(), "code", string(doc.Code), "status", doc.Status,
		"method", r.Method, "path", r.URL.Path, "request_id", doc.RequestID)
}

// StatusCode is the HTTP status of a kind of fault.
func StatusCode(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unprocessable:
		return http.StatusUnprocessableEntity
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Denied:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Stale:
		return http.StatusPreconditionFailed
	case fault.Missing:
		return http.StatusPreconditionRequired
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
