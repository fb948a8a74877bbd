package calls

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/dashboard/page"
	"github.com/sluice-gateway/sluice/pkg/archive"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

const (
	// DefaultRange is what is searched where nothing says since when.
	DefaultRange = 24 * time.Hour
	// ahead is how far gateways' clocks may be before ours: what they recorded just now
	// must be found.
	ahead = 5 * time.Minute
	// maxText is the longest text, in bytes, that a field is compared with.
	maxText = 4096
	// maxLatency is the largest minLatency.
	maxLatency = 24 * time.Hour
	// listName is how cursors of this list are known.
	listName = "requests"
)

// Question is what is asked for.
type Question struct {
	Filter archive.Filter // without Org, which Find sets
	After  archive.Cursor
	Limit  int // 1 to archive.MaxPage; others are brought into these bounds
}

// Parameters lists the names that Parse reads.
func Parameters() []string {
	return []string{
		"from", "to", "api", "status", "key", "method", "path", "route", "minLatency", "client", "node", "target", "host",
		"requestId", "refusal", "noApi", "q", "cursor",
	}
}

// Parse reads a question from texts as a query has them, "" for what is absent.
// The range is by default that of the cursor, else the last 24 hours; see
// DefaultRange. An error is a fault that names the parameter and the mend, with
// the code "query.invalid", or one of page.
func Parse(param func(name string) string, now time.Time) (Question, error) {
	p := parser{param: param}
	var q Question
	f := &q.Filter
	p.cursor(&q)
	p.times(f, now)
	f.API, f.Key, f.Node = p.text("api"), p.text("key"), p.text("node")
	f.Target, f.RequestID, f.Refusal = p.text("target"), p.text("requestId"), p.text("refusal")
	f.Host, f.Client = strings.TrimSuffix(strings.ToLower(p.text("host")), "."), address(p.text("client"))
	f.Method, f.Path, f.Route = p.method(), p.path(), p.text("route")
	f.StatusMin, f.StatusMax = p.status()
	f.SlowerThan = p.latency()
	f.NoAPI = p.flag("noApi")
	if f.NoAPI && (f.API != "" || f.Route != "") {
		p.refuse("noApi", "noApi asks for requests that matched no API, which have no api and no route; leave one of them out")
	}
	f.Text = p.part()
	return q, p.err
}

// parser keeps the first fault.
type parser struct {
	param func(string) string
	err   error
}

func (p *parser) refuse(name, format string, args ...any) {
	if p.err == nil {
		p.err = fault.New(fault.Invalid, "query.invalid", "%s", fmt.Sprintf(format, args...)).With("name", name)
	}
}

// text is a value that a recorded one must be equal to.
func (p *parser) text(name string) string {
	v := p.param(name)
	switch {
	case len(v) > maxText:
		p.refuse(name, "%s may have %d bytes at most", name, maxText)
	case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
		p.refuse(name, "%s has control characters or is not UTF-8; send plain text", name)
	default:
		return v
	}
	return ""
}

// times reads the range. The cursor's own stands where a parameter does not, so
// that all pages of a list are of one range.
func (p *parser) times(f *archive.Filter, now time.Time) {
	from, to := p.instant("from"), p.instant("to")
	if !to.IsZero() {
		f.To = to
	} else if f.To.IsZero() {
		f.To = now.Add(ahead).UTC().Truncate(time.Second)
	}
	if !from.IsZero() {
		f.From = from
	} else if f.From.IsZero() {
		f.From = f.To.Add(-DefaultRange)
		if to.IsZero() {
			f.From = f.From.Add(-ahead)
		}
	}
	if !f.From.Before(f.To) {
		p.refuse("from", "from (%s) is not before to (%s); give an earlier one", f.From.Format(time.RFC3339Nano), f.To.Format(time.RFC3339Nano))
	}
}

// instant reads one end of the range, in the microseconds that records have.
func (p *parser) instant(name string) time.Time {
	text := p.param(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.UTC().Year() > 9999 {
		p.refuse(name, "%s is an instant since 1970 such as 2026-11-21T09:30:00Z (RFC 3339; write + as %%2B)", name)
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// method refuses a method that is only spelled wrong: methods are case-sensitive
// (RFC 9110, 9.1), and "get" would find nothing.
func (p *parser) method() string {
	m := p.text("method")
	known := []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		http.MethodConnect, http.MethodTrace,
	}
	if upper := strings.ToUpper(m); upper != m && slices.Contains(known, upper) {
		p.refuse("method", "methods are upper-case; write %s", upper)
	}
	return m
}

// path reads a path, or the beginning of one with a * behind it.
func (p *parser) path() string {
	v := p.param("path")
	switch {
	case len(v) > maxText:
		p.refuse("path", "path may have %d bytes at most", maxText)
	case v != "" && v[0] != '/' && v != "*":
		p.refuse("path", "path begins with /, such as /orders/7, or /orders/* for all below")
	default:
		return escaped(v)
	}
	return ""
}

// escaped writes what no request's path has as it is (spaces, Hangul, control
// characters) the way that clients send it (RFC 3986, 2.1).
func escaped(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// status reads 404, 5xx or 400-499.
func (p *parser) status() (lowest, highest int) {
	text := p.param("status")
	if text == "" {
		return 0, 0
	}
	one := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil || len(s) != 3 || n < 100 {
			return 0
		}
		return n
	}
	if len(text) == 3 && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '9' {
		n := int(text[0]-'0') * 100
		return n, n + 99
	}
	a, b, ranged := strings.Cut(text, "-")
	if !ranged {
		b = a
	}
	lowest, highest = one(a), one(b)
	if lowest == 0 || highest < lowest {
		p.refuse("status", "status is a status code such as 404, a class such as 5xx, or a range such as 400-499")
		return 0, 0
	}
	return lowest, highest
}

func (p *parser) latency() time.Duration {
	text := p.param("minLatency")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Microsecond || d > maxLatency {
		p.refuse("minLatency", "minLatency is a number with its unit, such as 500ms or 2s, of at most 24h")
		return 0
	}
	return d
}

func (p *parser) flag(name string) bool {
	switch p.param(name) {
	case "1", "true":
		return true
	case "", "0", "false":
	default:
		p.refuse(name, "%s is 1 or 0", name)
	}
	return false
}

// part reads what is searched for in paths.
func (p *parser) part() string {
	q := strings.TrimSpace(p.param("q"))
	if _, err := page.Question(q); err != nil {
		if p.err == nil {
			p.err = err
		}
		return ""
	}
	return escaped(q)
}

// address gives an address as it is recorded (RFC 5952); what is none, such as a
// hash, stays.
func address(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return s
}

// place is a cursor's key: where the page before ended, and the list's range, all
// times in microseconds since 1970.
type place struct {
	At   int64  `json:"a"`
	ID   string `json:"i,omitempty"` // "" stands before all of its microsecond
	From int64  `json:"f"`
	To   int64  `json:"t"`
}

// sound tells whether a place can be of this list; callers may write cursors too.
func (p place) sound() bool {
	end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return p.From >= 0 && p.From < p.To && p.To < end && p.At >= 0 && p.At < end && (p.ID == "" || isID(p.ID))
}

// encode makes the cursor that callers hand back.
func encode(c archive.Cursor, f archive.Filter) string {
	// Numbers and a string always marshal.
	key, _ := json.Marshal(place{c.At.UnixMicro(), c.ID, f.From.UnixMicro(), f.To.UnixMicro()})
	return page.Cursor{Sort: listName, Key: string(key), ID: listName}.Encode()
}

// cursor reads the cursor and, with it, the range of the list.
func (p *parser) cursor(q *Question) {
	text := p.param("cursor")
	if text == "" {
		return
	}
	c, err := page.Decode(listName, text)
	var at place
	if err == nil && (json.Unmarshal([]byte(c.Key), &at) != nil || !at.sound()) {
		_, err = page.Decode(listName, "")
	}
	if err != nil {
		if p.err == nil {
			p.err = err
		}
		return
	}
	q.After = archive.Cursor{At: time.UnixMicro(at.At).UTC(), ID: at.ID}
	q.Filter.From, q.Filter.To = time.UnixMicro(at.From).UTC(), time.UnixMicro(at.To).UTC()
}
