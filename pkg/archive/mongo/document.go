package mongo

import (
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// document is the stored form of a record; the package comment is its manual.
type document struct {
	ID          string        `bson:"_id"`
	At          bson.DateTime `bson:"at"`
	Micros      int64         `bson:"us"`
	Node        string        `bson:"node,omitempty"`
	Group       string        `bson:"group,omitempty"`
	Org         string        `bson:"org,omitempty"`
	API         string        `bson:"api,omitempty"`
	Version     string        `bson:"version,omitempty"`
	Endpoint    string        `bson:"endpoint,omitempty"`
	Route       string        `bson:"route,omitempty"`
	Status      int           `bson:"status"`
	Total       int64         `bson:"totalUs,omitempty"`
	Upstream    int64         `bson:"upstreamUs,omitempty"`
	Method      string        `bson:"method,omitempty"`
	Scheme      string        `bson:"scheme,omitempty"`
	Host        string        `bson:"host,omitempty"`
	Path        string        `bson:"path,omitempty"`
	Query       string        `bson:"query,omitempty"`
	Protocol    string        `bson:"protocol,omitempty"`
	Key         string        `bson:"key,omitempty"`
	KeyAlias    string        `bson:"keyAlias,omitempty"`
	OAuthClient string        `bson:"oauthClient,omitempty"`
	Policies    []string      `bson:"policies,omitempty"`
	Tags        []string      `bson:"tags,omitempty"`
	Client      string        `bson:"client,omitempty"`
	Country     string        `bson:"country,omitempty"`
	Agent       string        `bson:"agent,omitempty"`
	RequestID   string        `bson:"requestId,omitempty"`
	TraceID     string        `bson:"traceId,omitempty"`
	BytesIn     int64         `bson:"bytesIn,omitempty"`
	BytesOut    int64         `bson:"bytesOut,omitempty"`
	Target      string        `bson:"target,omitempty"`
	Attempts    int           `bson:"attempts,omitempty"`
	Refusal     string        `bson:"refusal,omitempty"`
	Error       string        `bson:"error,omitempty"`
	Generation  int64         `bson:"generation,omitempty"`
	Flags       int64         `bson:"flags,omitempty"`
	Sample      float64       `bson:"sample,omitempty"`
	Request     *message      `bson:"request,omitempty"`
	Response    *message      `bson:"response,omitempty"`
	Wire        []byte        `bson:"wire,omitempty"`
}

type message struct {
	Headers   []header `bson:"headers,omitempty"`
	Body      []byte   `bson:"body,omitempty"`
	Size      int64    `bson:"size,omitempty"`
	Truncated bool     `bson:"truncated,omitempty"`
}

type header struct {
	Name  string `bson:"name"`
	Value string `bson:"value"`
}

// clean makes text that BSON can hold, and remembers when it changed one.
type clean struct{ changed bool }

func (c *clean) text(s string) string {
	valid := strings.ToValidUTF8(s, "\ufffd")
	c.changed = c.changed || valid != s
	return valid
}

func (c *clean) texts(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	valid := make([]string, len(list))
	for i, s := range list {
		valid[i] = c.text(s)
	}
	return valid
}

func (c *clean) message(m *record.Capture) *message {
	if m == nil {
		return nil
	}
	out := &message{Body: m.Body, Size: max(m.Size, 0), Truncated: m.Truncated}
	for _, f := range m.Header {
		out.Headers = append(out.Headers, header{c.text(f.Name), c.text(f.Value)})
	}
	return out
}

func documentOf(e *record.Entry) *document {
	var c clean
	d := &document{
		ID: e.ID, At: bson.DateTime(e.At.UnixMilli()), Micros: e.At.UnixMicro(), Node: c.text(e.Node), Group: c.text(e.Group),
		Org: c.text(e.Org), API: c.text(e.API), Version: c.text(e.Version), Endpoint: c.text(e.Endpoint), Route: c.text(e.Route),
		Status: max(e.Status, 0), Total: max(e.Total.Microseconds(), 0), Upstream: max(e.Upstream.Microseconds(), 0),
		Method: c.text(e.Method), Scheme: c.text(e.Scheme), Host: c.text(e.Host), Path: c.text(e.Path), Query: c.text(e.Query),
		Protocol: c.text(e.Protocol), Key: c.text(e.Key), KeyAlias: c.text(e.KeyAlias), OAuthClient: c.text(e.OAuthClient),
		Policies: c.texts(e.Policies), Tags: c.texts(e.Tags), Client: c.text(e.Client), Country: c.text(e.Country),
		Agent: c.text(e.UserAgent), RequestID: c.text(e.RequestID), TraceID: c.text(e.TraceID),
		BytesIn: max(e.BytesIn, 0), BytesOut: max(e.BytesOut, 0), Target: c.text(e.Target), Attempts: max(e.Attempts, 0),
		Refusal: c.text(e.Refusal), Error: c.text(e.Error), Generation: max(e.Generation, 0), Flags: int64(e.Flags), Sample: e.Sample,
		Request: c.message(e.Request), Response: c.message(e.Response),
	}
	if c.changed {
		d.Wire = e.Append(nil)
	}
	return d
}

func (d *document) entry() (record.Entry, error) {
	e := record.Entry{ID: d.ID, Node: d.Node, Group: d.Group}
	if len(d.Wire) > 0 {
		return e, e.Decode(d.Wire)
	}
	e.Record = record.Record{
		At: time.UnixMicro(d.Micros).UTC(), Total: micros(d.Total), Upstream: micros(d.Upstream), Status: d.Status,
		Method: d.Method, Scheme: d.Scheme, Host: d.Host, Path: d.Path, Query: d.Query,
		Org: d.Org, API: d.API, Version: d.Version, Endpoint: d.Endpoint, Route: d.Route,
		Key: d.Key, KeyAlias: d.KeyAlias, OAuthClient: d.OAuthClient, Policies: d.Policies, Tags: d.Tags,
		Client: d.Client, Country: d.Country, UserAgent: d.Agent, Protocol: d.Protocol, RequestID: d.RequestID, TraceID: d.TraceID,
		BytesIn: d.BytesIn, BytesOut: d.BytesOut, Target: d.Target, Attempts: d.Attempts, Refusal: d.Refusal, Error: d.Error,
		Generation: d.Generation, Flags: record.Flags(d.Flags), Sample: d.Sample,
		Request: d.Request.capture(), Response: d.Response.capture(),
	}
	return e, nil
}

func (m *message) capture() *record.Capture {
	if m == nil {
		return nil
	}
	c := &record.Capture{Body: m.Body, Size: m.Size, Truncated: m.Truncated}
	for _, f := range m.Headers {
		c.Header = append(c.Header, record.Field{Name: f.Name, Value: f.Value})
	}
	return c
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
