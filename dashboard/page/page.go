// Package page is what the lists of all stores share: opaque cursors, the bounds
// of a page, and how texts and questions are folded for a substring search, so
// that every store finds and orders the same.
package page

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/sluice-gateway/sluice/pkg/fault"
)

// Bounds of a list.
const (
	// Max is the most items that one page holds.
	Max = 200
	// MaxQuestion is the longest text, in bytes, that a list is searched for.
	MaxQuestion = 1024

	maxSortKey = 256 // bytes; longer names that begin alike are ordered by their ids
)

// Codes of the faults that a list's caller can mend.
const (
	CodeCursor   fault.Code = "list.cursor_invalid"
	CodeQuestion fault.Code = "list.query_too_long"
)

// Limit brings a page's size into the bounds 1 to Max.
func Limit(n int) int { return max(1, min(n, Max)) }

// Cursor names the last item of a page: the list's order, the item's value in
// that order, and its id, which decides between equal values.
type Cursor struct {
	Sort string `json:"s"`
	Key  string `json:"k"`
	ID   string `json:"i"`
}

// Encode makes the opaque text that callers hand back for the next page.
func (c Cursor) Encode() string {
	// Three strings always marshal.
	b, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads a cursor that a list in the order sort has given out. The error
// is a fault with CodeCursor.
func Decode(sort, text string) (Cursor, error) {
	var c Cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Sort != sort || c.ID == "" {
		return Cursor{}, fault.New(fault.Invalid, CodeCursor,
			"cursor is not one that this list gave out in this order; leave it out to begin at the first page")
	}
	return c, nil
}

// Fold gives the form in which texts are searched and ordered: valid UTF-8, lower
// case, composed (Unicode NFC, so that Hangul typed on any system is found), and
// without control characters, which become spaces.
func Fold(s string) string {
	s = norm.NFC.String(strings.ToLower(strings.ToValidUTF8(s, "\uFFFD")))
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// separator stands between joined texts; no folded text has one.
const separator = "\n"

// Join folds texts into one that is searched for a question at once. No question
// matches across two of them. Empty ones are left out.
func Join(texts ...string) string {
	folded := make([]string, 0, len(texts))
	for _, s := range texts {
		if s != "" {
			folded = append(folded, Fold(s))
		}
	}
	return strings.Join(folded, separator)
}

// Split gives the folded texts that Join joined.
func Split(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, separator)
}

// Question folds what a list is searched for. The error is a fault with
// CodeQuestion when q has more than MaxQuestion bytes.
func Question(q string) (string, error) {
	if len(q) > MaxQuestion {
		return "", fault.New(fault.Invalid, CodeQuestion,
			"q may have %d bytes at most; search for a shorter part", MaxQuestion).With("max", MaxQuestion)
	}
	return Fold(q), nil
}

// SortKey is the value by which a name is ordered.
func SortKey(name string) string {
	key := Fold(name)
	if len(key) <= maxSortKey {
		return key
	}
	return strings.ToValidUTF8(key[:maxSortKey], "")
}
