// Package record lets an API say what is recorded of its calls: whether, how many
// of them, with bodies or not, and how much of who called. The meter reads the
// options from the chain; only bodies and tags need phases, which look at messages
// while they pass.
//
// record.go is the filter's options, recording.go what the meter asks of them,
// capture.go the phases, tap.go how a body is looked at while it streams.
package record

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Config are the options. Where an API does not name the filter, every call is
// recorded, without bodies.
type Config struct {
	// Enabled says whether calls are recorded at all. Without records the API is not
	// in charts and reports either. Default: true.
	Enabled *bool `json:"enabled,omitempty"`
	// Sample is the fraction of calls that get a record of their own, above 0 and at
	// most 1. Which ones is decided by the request id. Counters still count every call.
	// Default: 1.
	Sample *float64 `json:"sample,omitempty" schema:"min=0,max=1"`
	// Only says which calls get a record of their own: all, or those that ended with
	// 4xx, 5xx or without an answer. Counters still count every call. Default: all.
	Only string `json:"only,omitempty" schema:"enum=all|errors"`
	// Bodies records heads and bodies of messages too, for a while. Default: neither.
	Bodies *Bodies `json:"bodies,omitempty"`
	// Tags are copied from requests into records, for searching and counting:
	// "header:NAME" is the first field of that name, "query:NAME" the first query
	// parameter, "meta:NAME" the metadata of the caller's key. A tag reads name:value,
	// the name of a header in lower case; values are cut after 64 bytes, empty ones are
	// left out. Places that hold credentials are refused.
	Tags []string `json:"tags,omitempty" schema:"maxItems=8,maxLength=128"`
	// ClientAddress is how much of the client's address is recorded: full, truncated
	// (IPv4 to /24, IPv6 to /48) or hashed (keyed, so that it cannot be tried out; equal
	// addresses stay equal). Default: what the gateway's records.client_address says,
	// full if it says nothing.
	ClientAddress string `json:"clientAddress,omitempty" schema:"enum=full|truncated|hashed"`
}

// Bodies are the options for heads and bodies.
type Bodies struct {
	// Until is when recording them ends by itself, as in 2026-12-01T00:00:00Z (RFC 3339).
	Until string `json:"until" schema:"required,format=date-time,maxLength=40"`
	// Max is how much of a body is kept, at most 48KiB. Default: 16KiB.
	Max string `json:"max,omitempty" schema:"format=size,maxLength=16"`
	// Mask says what is taken out: "header:NAME", "query:NAME" (also fields of forms),
	// and JSON paths below "$": "$.user.password", "$.cards[*].number", "$..password" at
	// any depth. Authorization, Cookie, Set-Cookie and the places where the API looks for
	// keys are taken out in any case.
	Mask []string `json:"mask,omitempty" schema:"maxItems=64,maxLength=256"`
}

const (
	defaultBody = 16 << 10
	maxBody     = 48 << 10 // so that both bodies of a call fit into one batch of records
	maxTags     = 8
	maxMasks    = 64
)

// Deps is what the filter needs of the gateway.
type Deps struct {
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Pressed tells that records should be small: then no bodies are looked at. Nil:
	// never.
	Pressed func() bool
}

// Spec makes the filter.
func Spec(d Deps) filter.Spec {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Pressed == nil {
		d.Pressed = func() bool { return false }
	}
	return filter.Define("record", func(c Config) (any, error) { return build(c, d) }).
		In(filter.Record).EveryAPI().Removable().
		About("Says what is recorded of calls: which ones, bodies, tags, client addresses",
			"호출의 무엇을 기록할지 정합니다: 대상, 본문, 태그, 클라이언트 주소")
}

func build(c Config, d Deps) (any, error) {
	var ps filter.Problems
	r := &Recording{off: c.Enabled != nil && !*c.Enabled, sample: 1, onlyErrors: c.Only == "errors", address: record.AddressMode(c.ClientAddress)}
	if c.Sample != nil {
		if r.sample = *c.Sample; r.sample <= 0 || r.sample > 1 {
			ps.Addf("/sample", "record.sample", `The sample must be above 0 and at most 1; to record nothing write "enabled": false.`)
		}
	}
	if c.Only != "" && c.Only != "all" && c.Only != "errors" {
		ps.Addf("/only", "record.only", `%q is neither "all" nor "errors".`, c.Only)
	}
	switch r.address {
	case "", record.FullAddress, record.TruncatedAddress, record.HashedAddress:
	default:
		ps.Addf("/clientAddress", "record.client_address", `%q is none of "full", "truncated" and "hashed".`, c.ClientAddress)
	}
	if len(c.Tags) > maxTags {
		ps.Addf("/tags", "record.tags", "At most %d tags can be recorded.", maxTags)
	}
	for i, text := range c.Tags {
		t, err := parseTag(text)
		ps.Add("/tags/"+strconv.Itoa(i), err)
		r.tags = append(r.tags, t)
		r.early = r.early || t.kind != tagMeta
	}
	if c.Bodies != nil {
		err := r.readBodies(*c.Bodies)
		ps.Add("/bodies", err)
	}
	if err := ps.Err(); err != nil {
		return nil, err
	}
	if err := r.Hide(nil); err != nil {
		return nil, err
	}
	if r.off || r.until.IsZero() && !r.early {
		return r, nil
	}
	return &phases{Recording: r, d: d}, nil
}

func (r *Recording) readBodies(b Bodies) error {
	var ps filter.Problems
	var err error
	switch r.until, err = time.Parse(time.RFC3339, b.Until); {
	case b.Until == "":
		ps.Addf("/until", "record.until", "Say when recording of bodies ends, such as 2026-12-01T00:00:00Z.")
	case err != nil:
		ps.Addf("/until", "record.until", "%q is not an instant such as 2026-12-01T00:00:00Z.", b.Until)
	}
	r.max = defaultBody
	if b.Max != "" {
		switch n, err := apidef.ParseSize(b.Max); {
		case err != nil:
			ps.Addf("/max", "record.max", "%v.", err)
		case n < 1 || n > maxBody:
			ps.Addf("/max", "record.max", "The size must be from 1B to 48KiB.")
		default:
			r.max = int(n)
		}
	}
	if len(b.Mask) > maxMasks {
		ps.Addf("/mask", "record.mask", "At most %d masks can be named.", maxMasks)
	}
	for i, rule := range b.Mask {
		if _, err := record.NewMask([]string{rule}); err != nil {
			ps.Addf("/mask/"+strconv.Itoa(i), "record.mask", "%v.", err)
		}
	}
	r.rules = b.Mask
	return ps.Err()
}

// The places that a tag comes from.
const (
	tagHeader = iota
	tagQuery
	tagMeta
)

// tag is one entry of the allow-list.
type tag struct {
	kind   int
	name   string
	prefix string // of the recorded text
}

func parseTag(text string) (tag, error) {
	kind, name, _ := strings.Cut(text, ":")
	t := tag{name: name, prefix: name + ":"}
	switch kind {
	case "header":
		t.kind, t.prefix = tagHeader, strings.ToLower(name)+":"
		if !message.ValidName(name) {
			return t, filter.Problem("", "record.tag", "%q is not the name of a header field.", name)
		}
		if k := message.KnownName(name); secret(k) {
			return t, filter.Problem("", "record.tag_secret", "The header %s holds credentials and cannot be a tag.", name)
		}
	case "query":
		t.kind = tagQuery
	case "meta":
		t.kind = tagMeta
	default:
		return t, filter.Problem("", "record.tag", `%q is no tag; write header:NAME, query:NAME or meta:NAME.`, text)
	}
	if name == "" || len(name) > 64 || !message.ValidValue(name) || strings.Contains(name, ":") {
		return t, filter.Problem("", "record.tag", "%q names no tag: a name has 1 to 64 characters, no colon and no control character.", text)
	}
	return t, nil
}

// secret names the well-known fields that hold credentials.
func secret(k message.Known) bool {
	switch k {
	case message.Authorization, message.ProxyAuthorization, message.Cookie, message.SetCookie:
		return true
	}
	return false
}
