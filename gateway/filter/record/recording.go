package record

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// longestTag is how much of a tag's value is recorded.
const longestTag = 64

// Recording is what the options say, ready for the meter. Immutable after Hide.
type Recording struct {
	off        bool
	sample     float64
	onlyErrors bool
	tags       []tag
	early      bool // some tags come from the request, which later filters may change
	address    record.AddressMode

	until time.Time // zero: no bodies
	max   int
	rules []string // of the mask, as written
	mask  *record.Mask
}

var _ filter.Options = (*Recording)(nil)

// ReadBy is the meter.
func (*Recording) ReadBy() string { return "meter" }

// Options gives the recording, also of a filter that has phases. For the chain.
func (r *Recording) Options() *Recording { return r }

// Hide names the places of credentials, as "header:NAME" and "query:NAME", whose
// values are never recorded. The chain calls it once, before the recording is
// used. The error is a build problem: a tag names such a place.
func (r *Recording) Hide(places []string) error {
	var ps filter.Problems
	for i, t := range r.tags {
		if slices.ContainsFunc(places, t.is) {
			ps.Addf("/tags/"+strconv.Itoa(i), "record.tag_secret", "The API looks for keys there: it cannot be a tag.")
		}
	}
	mask, err := record.NewMask(append(slices.Clone(r.rules), places...))
	ps.Add("", err)
	r.mask = mask
	return ps.Err()
}

// is tells whether the tag comes from a place of credentials.
func (t tag) is(place string) bool {
	kind, name, _ := strings.Cut(place, ":")
	return kind == "header" && t.kind == tagHeader && message.EqualFold(name, t.name) || kind == "query" && t.kind == tagQuery && name == t.name
}

// Off tells whether nothing is recorded.
func (r *Recording) Off() bool { return r.off }

// Keep tells whether a call gets a record of its own, and not only a place in the
// counters. The same id gives the same answer on every gateway.
func (r *Recording) Keep(id string, failed bool) bool {
	if r.onlyErrors && !failed {
		return false
	}
	return r.sample >= 1 || float64(spread(id)>>11)/(1<<53) < r.sample
}

// spread is a hash whose high bits are even also for ids that only count: FNV-1a
// with the last mixing step of MurmurHash3.
func spread(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Sample is the fraction of calls that have a record of their own, as
// record.Record tells it: 0 means all.
func (r *Recording) Sample() float64 {
	if r.sample >= 1 {
		return 0
	}
	return r.sample
}

// Address is how much of client addresses is recorded; empty where the API does
// not say.
func (r *Recording) Address() record.AddressMode { return r.address }

// Query is a query without the values that are masked or credentials.
func (r *Recording) Query(q string) string { return r.mask.Query(q) }

// AppendTags appends the tags of an exchange to list. c is what Captured returned
// for it, or nil.
func (r *Recording) AppendTags(list []string, x *filter.Exchange, c *Capture) []string {
	if c != nil {
		list = append(list, c.tags...)
	}
	for _, t := range r.tags {
		if t.kind == tagMeta && x.Session != nil {
			list = t.appendTo(list, x.Session.Metadata[t.name])
		}
	}
	return list
}

func (t *tag) appendTo(list []string, value string) []string {
	if value == "" {
		return list
	}
	return append(list, t.prefix+value[:min(len(value), longestTag)])
}

// fromRequest collects the tags that stand in the request.
func (r *Recording) fromRequest(q *message.Request) (list []string) {
	for i := range r.tags {
		switch t := &r.tags[i]; t.kind {
		case tagHeader:
			list = t.appendTo(list, q.Header.Get(t.name))
		case tagQuery:
			for v := range message.QueryValues(q.Query, t.name) {
				list = t.appendTo(list, v)
				break
			}
		}
	}
	return list
}
