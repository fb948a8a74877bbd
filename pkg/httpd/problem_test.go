package httpd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/httpd"
)

func problem(t *testing.T, err error) (*http.Response, map[string]any, string) {
	t.Helper()
	var log bytes.Buffer
	r := httptest.NewRequest("PUT", "/x", nil)
	r = r.WithContext(httpd.WithRequestID(r.Context(), "req-1"))
	w := httptest.NewRecorder()
	w.Header().Set("Etag", `"x"`)
	httpd.Problems{Log: slog.New(slog.NewTextHandler(&log, nil))}.Write(w, r, err)
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	return w.Result(), doc, log.String()
}

func TestEveryKindHasItsStatus(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 400, fault.Unprocessable: 422, fault.Unauthenticated: 401, fault.Denied: 403,
		fault.NotFound: 404, fault.Conflict: 409, fault.Stale: 412, fault.Missing: 428, fault.TooMany: 429,
		fault.TooLarge: 413, fault.Unavailable: 503, fault.Unsupported: 415, 200: 500,
	} {
		resp, doc, _ := problem(t, fault.New(kind, "a.b", "Said."))
		if resp.StatusCode != want || doc["status"] != float64(want) || doc["code"] != "a.b" {
			t.Errorf("kind %d: %d %v, want %d", kind, resp.StatusCode, doc, want)
		}
	}
}

func TestProblemDocument(t *testing.T) {
	f := fault.New(fault.Unprocessable, "api.invalid", "The definition has an error.").With("id", "x")
	f.Problems = []fault.Problem{{Code: "unknown_field", Path: "/a", Message: "m", Severity: fault.Error, Fix: "b"}}
	f.Retry = 7
	resp, doc, log := problem(t, errors.Join(errors.New("outer"), f))
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if resp.Header.Get("Retry-After") != "7" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Etag") != "" {
		t.Errorf("headers %v", resp.Header)
	}
	got, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"code":"api.invalid","params":{"id":"x"},"problems":[{"code":"unknown_field","fix":"b","message":"m","path":"/a","severity":"error"}],` +
		`"requestId":"req-1","status":422,"title":"The definition has an error.","type":"about:blank"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if log != "" {
		t.Errorf("a client's error was logged: %s", log)
	}
}

func TestDetailsOfOurOwnErrorsAreLoggedOnly(t *testing.T) {
	for _, err := range []error{
		errors.New("dial mongodb://user:pw@host"),
		fault.Wrap(errors.New("dial mongodb://user:pw@host"), fault.Internal, "store.broken", "pw is wrong"),
	} {
		resp, doc, log := problem(t, err)
		body, jerr := json.Marshal(doc)
		if jerr != nil {
			t.Fatal(jerr)
		}
		if resp.StatusCode != 500 || strings.Contains(string(body), "pw") {
			t.Errorf("told too much: %s", body)
		}
		if !strings.Contains(log, "user:pw@host") || !strings.Contains(log, "request_id=req-1") {
			t.Errorf("the log does not help: %s", log)
		}
	}
	if _, doc, _ := problem(t, errors.New("x")); doc["code"] != "internal" {
		t.Errorf("code %v", doc["code"])
	}
}

func TestTooLargeBody(t *testing.T) {
	w := httptest.NewRecorder()
	_, err := io.ReadAll(http.MaxBytesReader(w, io.NopCloser(strings.NewReader("12345")), 4))
	resp, doc, _ := problem(t, err)
	if resp.StatusCode != 413 || doc["code"] != "body.too_large" {
		t.Errorf("%d %v", resp.StatusCode, doc)
	}
}

func TestParametersThatJSONCannotHold(t *testing.T) {
	resp, doc, _ := problem(t, fault.New(fault.Conflict, "a.b", "Said.").With("f", func() {}))
	if resp.StatusCode != 409 || doc["code"] != "a.b" {
		t.Errorf("%d %v", resp.StatusCode, doc)
	}
}
