// Package record is one call as the gateway tells it to the pump: the Record, its
// wire form (record.proto, version 1) and what is taken out of it before it
// leaves the gateway.
package record

import (
	"net/netip"
	"time"
)

// Version of the wire form. Fields may be added without a new one: readers skip
// what they do not know. A field's number is never used for something else.
const Version = 1

// Record is one call, once. The zero value of a field means "unknown" or "none"
// and costs nothing on the wire. What can be derived (day, hour, names of APIs)
// is not in it. Text is what the client sent and may be anything, also not UTF-8.
type Record struct {
	At       time.Time     // when the request's head was read; microseconds travel
	Total    time.Duration // from then to the last byte of the response
	Upstream time.Duration // of it, until the head of the upstream's response
	Status   int           // what the client got; 0 when the connection ended before an answer

	Method string
	Scheme string // "http" or "https", as the client used it
	Host   string
	Path   string // as requested, without query
	Query  string // without the question mark; redacted

	Org      string
	API      string // id; empty when no API matched
	Version  string // of the API
	Endpoint string // id
	Route    string // the endpoint's template: never the raw path, so that few values exist

	Key         string // the key's public id
	KeyAlias    string
	OAuthClient string
	Policies    []string // ids
	Tags        []string // "name:value", from the allow-list of the API

	Client    string // address, possibly truncated or hashed; see Address
	Country   string // ISO 3166-1 alpha-2
	UserAgent string
	Protocol  string // "1.0", "1.1", "2"
	RequestID string
	TraceID   string

	BytesIn  int64 // of the request's body
	BytesOut int64 // of the response's body
	Target   string
	Attempts int    // calls of the upstream
	Refusal  string // the code of the gateway's own answer; empty for an upstream's
	Error    string // what went wrong with the upstream, one line

	Generation int64 // of the configuration that served
	Flags      Flags
	// Sample is the fraction of calls that have a raw record, in (0, 1); 0 means all.
	Sample float64

	Request  *Capture // nil unless bodies are recorded
	Response *Capture
}

// Flags are facts that are true or not. Their bits are part of the wire form.
type Flags uint32

// The flags.
const (
	CacheHit   Flags = 1 << iota // answered from the response cache
	Limited                      // refused by a rate limit or a quota
	Retried                      // the upstream was called more than once
	Shadow                       // a filter in shadow mode would have refused
	Upgraded                     // became a websocket or another protocol
	Aborted                      // the client went away
	Mocked                       // answered by a mock
	CountOnly                    // for counters only: sampling left it out of the raw log
	Shrunk                       // parts were removed to fit; see Shrink
	ClientTLS                    // the client showed a certificate
	UpstreamTo                   // the upstream ran into a timeout
)

// Has tells whether all of these flags are set.
func (f Flags) Has(what Flags) bool { return f&what == what }

// Capture is one recorded message.
type Capture struct {
	Header    []Field
	Body      []byte // redacted, capped
	Size      int64  // of the whole body in bytes
	Truncated bool   // Body is not all of it
}

// Field is one header field.
type Field struct{ Name, Value string }

// NoAPI tells whether the request matched no API.
func (r *Record) NoAPI() bool { return r.API == "" }

// Failed tells whether the call counts as an error: 4xx, 5xx or no answer at all.
func (r *Record) Failed() bool { return r.Status == 0 || r.Status >= 400 }

// AddressMode says how much of a client's address is recorded.
type AddressMode string

// The modes.
const (
	FullAddress      AddressMode = "full"
	TruncatedAddress AddressMode = "truncated" // IPv4 to /24, IPv6 to /48
	HashedAddress    AddressMode = "hashed"    // a keyed hash: equal addresses stay equal
)

// Address is the text of a client's address in the given mode. hash is used by
// HashedAddress alone, gets the address's bytes and must be keyed, since all IPv4
// addresses are quickly tried. An unknown mode or a missing hash gives the
// truncated address: never more than was asked for.
func Address(a netip.Addr, mode AddressMode, hash func(address []byte) string) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	switch {
	case mode == FullAddress:
		return a.String()
	case mode == HashedAddress && hash != nil:
		return hash(a.AsSlice())
	}
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.Addr().String()
}
