package filter

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Reject is an answer that a filter or the forwarder gives instead of the
// upstream's. It is returned as an error and rendered once, by serve.
type Reject struct {
	Status  int        // HTTP status
	Code    fault.Code // stable, such as "auth.key_unknown"
	Message string     // one sentence for the caller; no secret, no inside of the platform
	Header  [][2]string
	Err     error // the cause, for the log and the record only
}

// Refuse makes a Reject.
func Refuse(status int, code fault.Code, format string, args ...any) *Reject {
	return &Reject{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// With adds a response header and returns r.
func (r *Reject) With(name, value string) *Reject {
	r.Header = append(r.Header, [2]string{name, value})
	return r
}

// RetryAfter adds Retry-After in whole seconds, at least 1 (RFC 9110, 10.2.3).
func (r *Reject) RetryAfter(d time.Duration) *Reject {
	return r.With("Retry-After", strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))))
}

// Because sets the cause and returns r.
func (r *Reject) Because(err error) *Reject { r.Err = err; return r }

// Error is the status, the code and the cause.
func (r *Reject) Error() string {
	s := fmt.Sprintf("%d %s: %s (%s)", r.Status, http.StatusText(r.Status), r.Message, r.Code)
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Reject) Unwrap() error { return r.Err }
