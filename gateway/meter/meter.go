// Package meter tells the spool of every call: an exchange and its outcome become
// a record. It takes about a microsecond, waits for nothing and keeps nothing of
// the exchange.
//
// meter.go makes the record, text.go cuts and cleans what goes into it, refused.go
// is for requests that the engine answered before there was an exchange, outcome.go
// is what serve tells of an exchange.
package meter

import (
	"net/http"
	"strings"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// DefaultOrg has the calls that belong to no API.
const DefaultOrg = "default"

// ownKey is how the keys of the product begin. One that stands where the API does
// not look for it is a secret all the same.
const ownKey = "slc_"

// Spool is where records go; spool.Producer is one. No method may wait.
type Spool interface {
	// Add takes a record, which may be changed afterwards; false when it was dropped.
	Add(r *record.Record) bool
	// Lose counts records of an API that never reached Add.
	Lose(api string, records int)
	// Pressed tells that recording should be thrifty.
	Pressed() bool
}

// Options of a Meter.
type Options struct {
	Spool Spool
	// Address is how much of client addresses is recorded where the API does not say,
	// and where there is no API. Default: all of it.
	Address record.AddressMode
	// Hash makes the text of a hashed address from its bytes; it must be keyed. Without
	// it addresses are truncated instead.
	Hash func(address []byte) string
}

// Meter makes records of exchanges. Safe for concurrent use.
type Meter struct {
	o    Options
	work sync.Pool
}

// New makes a meter.
func New(o Options) *Meter {
	if o.Address == "" {
		o.Address = record.FullAddress
	}
	return &Meter{o: o}
}

// work is what one record needs; it is used again.
type work struct {
	record.Record
	tags  []string
	query []byte
}

// Observe records one exchange, as its API wants it.
func (m *Meter) Observe(x *filter.Exchange, o Outcome) {
	defer m.guard(x)
	if w := m.record(x, o); w != nil {
		m.o.Spool.Add(&w.Record)
		m.give(w)
	}
}

// record makes the record of an exchange; nil where none is wanted.
func (m *Meter) record(x *filter.Exchange, o Outcome) *work {
	r := o.Chain.Recording()
	if o.Chain != nil && (r == nil || r.Off()) {
		return nil
	}
	w := m.take()
	w.call(x, o)
	w.outcome(x, o)
	w.Query = w.hidden(x.ClientQuery)
	mode := m.o.Address
	if r != nil {
		if x.API != nil && !strings.Contains(x.ClientQuery, ownKey) {
			w.Query = w.cut(r.Query(x.ClientQuery), maxQuery)
		}
		if r.Address() != "" {
			mode = r.Address()
		}
		seen := o.Chain.Captured(x)
		w.tags = r.AppendTags(w.tags[:0], x, seen)
		w.Tags = w.tags
		w.Sample = r.Sample()
		if !r.Keep(x.ID, w.Failed()) {
			w.countOnly()
			seen = nil
		}
		if seen != nil {
			w.Request, w.Response = r.Messages(x, seen)
		}
	}
	if !w.Flags.Has(record.CountOnly) {
		w.Client = m.address(x, mode)
	}
	return w
}

func (m *Meter) take() *work {
	if w, ok := m.work.Get().(*work); ok {
		return w
	}
	return &work{tags: make([]string, 0, 8)}
}

// give keeps the storage and nothing else: the texts are the exchange's.
func (m *Meter) give(w *work) {
	clear(w.tags)
	w.Record = record.Record{}
	m.work.Put(w)
}

// guard keeps a fault of the meter from the client: the answer was given. What was
// not told is counted as lost.
func (m *Meter) guard(x *filter.Exchange) {
	if recover() != nil {
		api := ""
		if x.API != nil {
			api = x.API.ID
		}
		m.o.Spool.Lose(api, 1)
	}
}

// call fills in who called what.
func (w *work) call(x *filter.Exchange, o Outcome) {
	w.At, w.Org = x.Start, DefaultOrg
	w.Method = w.cut(x.ClientMethod, maxMethod)
	w.Scheme = x.ClientScheme
	w.Host = w.cut(x.ClientHost, maxHost)
	w.Path = w.cut(x.ClientPath, maxPath)
	w.UserAgent = w.cut(x.ClientAgent, maxAgent)
	w.RequestID = x.ID
	w.Generation = o.Generation
	if x.API != nil {
		w.Org, w.API = x.API.Org, x.API.ID
	}
	if x.Endpoint != nil {
		w.Endpoint, w.Route = x.Endpoint.ID, x.Endpoint.Path
	}
	if s := x.Session; s != nil {
		w.Key, w.KeyAlias, w.Policies = s.KeyID, s.Alias, s.Policies
	}
	w.Protocol = "1.1"
	switch q := x.Request; {
	case q.Major == 2:
		w.Protocol = "2"
	case q.Minor == 0:
		w.Protocol = "1.0"
	}
	w.TraceID = traceID(&x.Request.Header)
}

// outcome fills in what came of it.
func (w *work) outcome(x *filter.Exchange, o Outcome) {
	w.Total, w.Upstream = o.Duration, x.UpstreamTime
	w.Status = o.Status
	w.BytesIn, w.BytesOut = o.Received, o.Bytes
	w.Target, w.Attempts = target(x.Target), x.Attempts
	set := func(when bool, f record.Flags) {
		if when {
			w.Flags |= f
		}
	}
	set(x.Attempts > 1, record.Retried)
	set(o.Status == http.StatusSwitchingProtocols, record.Upgraded)
	set(o.Aborted && o.Err == nil, record.Aborted)
	cause := o.Err
	if x.Refusal != nil {
		w.Refusal = string(x.Refusal.Code)
		set(x.Refusal.Status == http.StatusTooManyRequests, record.Limited)
		if cause == nil {
			cause = x.Refusal.Err
		}
	}
	if cause != nil {
		w.failure(cause)
	}
}

// failure says why, in a word where there is one.
func (w *work) failure(cause error) {
	switch kind := http1.KindOf(cause); kind {
	case http1.ErrConnectTimeout, http1.ErrFirstByteTimeout, http1.ErrBodyTimeout, http1.ErrDeadline:
		w.Flags |= record.UpstreamTo
	}
	if f := fault.As(cause); f != nil {
		w.Error = string(f.Code)
		return
	}
	w.Error = oneLine(cause.Error())
}

// countOnly leaves what counters need.
func (w *work) countOnly() {
	w.Flags |= record.CountOnly
	w.Flags &^= record.Shrunk // nothing that is left was cut
	w.Scheme, w.Host, w.Path, w.Query, w.UserAgent, w.Protocol = "", "", "", "", "", ""
	w.RequestID, w.TraceID, w.Target, w.Error, w.Generation = "", "", "", "", 0
}

func (m *Meter) address(x *filter.Exchange, mode record.AddressMode) string {
	if mode == record.FullAddress && x.ClientText != "" {
		return x.ClientText
	}
	if !x.Client.IsValid() {
		return ""
	}
	return record.Address(x.Client, mode, m.o.Hash)
}

// traceID is that of a W3C trace context (traceparent, version 00 and later), if
// there is one.
func traceID(h *message.Header) string {
	v, ok := h.Lookup("Traceparent")
	if !ok || len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return ""
	}
	id, some := v[3:35], false
	for i := range len(id) {
		switch c := id[i]; {
		case '1' <= c && c <= '9', 'a' <= c && c <= 'f':
			some = true
		case c != '0':
			return ""
		}
	}
	if !some {
		return ""
	}
	return id
}
