package meter

import (
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// Keep takes what the record of an exchange needs whose end comes long after its
// messages were given back, as a tunnel's, and returns what records it. Of the
// outcome of that time Bytes, Received, Duration, Aborted and Err count; whether the
// call is in the sample was decided before. Nothing of the exchange or its chain is
// held in between.
func (m *Meter) Keep(x *filter.Exchange, o Outcome) func(Outcome) {
	defer m.guard(x)
	w := m.record(x, o)
	if w == nil {
		return nil
	}
	kept := detached(&w.Record)
	m.give(w)
	return func(o Outcome) {
		kept.Total, kept.BytesIn, kept.BytesOut = o.Duration, o.Received, o.Bytes
		last := work{Record: *kept}
		if o.Aborted && o.Err == nil {
			last.Flags |= record.Aborted
		}
		if o.Err != nil && !last.Flags.Has(record.CountOnly) {
			last.failure(o.Err)
		}
		m.o.Spool.Add(&last.Record)
	}
}

// detached is a copy that shares no storage with the exchange.
func detached(r *record.Record) *record.Record {
	c := *r
	for _, s := range []*string{
		&c.Method, &c.Scheme, &c.Host, &c.Path, &c.Query, &c.Org, &c.API, &c.Version, &c.Endpoint, &c.Route, &c.Key, &c.KeyAlias,
		&c.OAuthClient, &c.Client, &c.Country, &c.UserAgent, &c.Protocol, &c.RequestID, &c.TraceID, &c.Target, &c.Refusal, &c.Error,
	} {
		*s = strings.Clone(*s)
	}
	c.Policies, c.Tags = cloned(c.Policies), cloned(c.Tags)
	c.Request, c.Response = capture(c.Request), capture(c.Response)
	return &c
}

func cloned(list []string) []string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = strings.Clone(list[i])
	}
	return list
}

func capture(c *record.Capture) *record.Capture {
	if c == nil {
		return nil
	}
	d := *c
	d.Header, d.Body = slices.Clone(c.Header), slices.Clone(c.Body)
	for i := range d.Header {
		d.Header[i] = record.Field{Name: strings.Clone(d.Header[i].Name), Value: strings.Clone(d.Header[i].Value)}
	}
	return &d
}
