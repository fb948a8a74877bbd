package http1test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Sent is what net/http makes of the bytes that a client sent: the requests up to
// the first that is incomplete or malformed. Both Content-Length and
// Transfer-Encoding, and the like, pass there: the oracle does not know what must
// be refused, only what a request may be taken for.
func Sent(b []byte) []*Request {
	r := bufio.NewReader(bytes.NewReader(b))
	var all []*Request
	for {
		if p, _ := r.Peek(2); string(p) == "\r\n" { // one empty line before a request is no request
			_, _ = r.Discard(2)
		}
		q, err := http.ReadRequest(r)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return all
		}
		all = append(all, &Request{Method: q.Method, Target: q.RequestURI, Body: body})
	}
}

// Compare tells how the requests that reached an origin differ from those that a
// client sent: each one must be the next of them, in order; those refused at
// the end are missing. Targets in absolute-form are compared by their path.
func Compare(sent, got []*Request) error {
	for i, g := range got {
		if i >= len(sent) {
			return fmt.Errorf("the origin got a request that nobody sent: %q", g.Raw)
		}
		s := sent[i]
		target := s.Target
		if l := strings.ToLower(target); strings.HasPrefix(l, "http://") || strings.HasPrefix(l, "https://") {
			_, rest, _ := strings.Cut(target, "//")
			if j := strings.IndexAny(rest, "/?"); j < 0 {
				target = "/"
			} else if target = rest[j:]; target[0] == '?' {
				target = "/" + target
			}
		}
		if s.Method != g.Method || target != g.Target || !bytes.Equal(s.Body, g.Body) {
			return fmt.Errorf("request %d was sent as %s %s with body %q and arrived as %q", i, s.Method, s.Target, s.Body, g.Raw)
		}
	}
	return nil
}
