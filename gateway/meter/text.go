package meter

import (
	"net/url"
	"strings"
	"unsafe"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// What a record holds of texts that clients write, in bytes: enough to know them
// again, too little to fill the spool with.
const (
	maxMethod = 32
	maxHost   = 255
	maxPath   = 2 << 10
	maxQuery  = 2 << 10
	maxAgent  = 512
	maxError  = 512
)

// cut ends a long text and notes that it did.
func (w *work) cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	w.Flags |= record.Shrunk
	return s[:limit]
}

// hidden is a query without any value. It is for calls that belong to no API:
// nobody knows which of the values is a key. The text is w's.
func (w *work) hidden(query string) string {
	if query == "" {
		return ""
	}
	b := w.query[:0]
	for more := true; more && len(b) <= maxQuery; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		name, _, valued := strings.Cut(pair, "=")
		if b = append(b, name...); valued {
			b = append(append(b, '='), record.Masked...)
		}
		if more {
			b = append(b, '&')
		}
	}
	w.query = b
	return w.cut(unsafe.String(unsafe.SliceData(b), len(b)), maxQuery)
}

// target is a target's URL without the user and password that it may hold.
func target(t string) string {
	if !strings.Contains(t, "@") {
		return t
	}
	u, err := url.Parse(t)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// oneLine is the first line of a text, without control characters.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > maxError {
		s = s[:maxError]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
