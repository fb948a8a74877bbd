package line

import "github.com/sluice-gateway/sluice/pkg/record"

// Field is a part of a record that a sink may go without.
type Field struct {
	Name  string
	Clear func(*record.Record) // must not change what the record points to
}

// Fields are all of them: the names of Append, and of captures the parts. What a
// record cannot be without (id, at, status, totalMs) is not in it.
func Fields() []Field {
	return []Field{
		{"upstreamMs", func(r *record.Record) { r.Upstream = 0 }},
		{"method", func(r *record.Record) { r.Method = "" }},
		{"scheme", func(r *record.Record) { r.Scheme = "" }},
		{"host", func(r *record.Record) { r.Host = "" }},
		{"path", func(r *record.Record) { r.Path = "" }},
		{"query", func(r *record.Record) { r.Query = "" }},
		{"org", func(r *record.Record) { r.Org = "" }},
		{"api", func(r *record.Record) { r.API = "" }},
		{"version", func(r *record.Record) { r.Version = "" }},
		{"endpoint", func(r *record.Record) { r.Endpoint = "" }},
		{"route", func(r *record.Record) { r.Route = "" }},
		{"key", func(r *record.Record) { r.Key = "" }},
		{"keyAlias", func(r *record.Record) { r.KeyAlias = "" }},
		{"oauthClient", func(r *record.Record) { r.OAuthClient = "" }},
		{"policies", func(r *record.Record) { r.Policies = nil }},
		{"tags", func(r *record.Record) { r.Tags = nil }},
		{"client", func(r *record.Record) { r.Client = "" }},
		{"country", func(r *record.Record) { r.Country = "" }},
		{"userAgent", func(r *record.Record) { r.UserAgent = "" }},
		{"protocol", func(r *record.Record) { r.Protocol = "" }},
		{"requestId", func(r *record.Record) { r.RequestID = "" }},
		{"traceId", func(r *record.Record) { r.TraceID = "" }},
		{"bytesIn", func(r *record.Record) { r.BytesIn = 0 }},
		{"bytesOut", func(r *record.Record) { r.BytesOut = 0 }},
		{"target", func(r *record.Record) { r.Target = "" }},
		{"attempts", func(r *record.Record) { r.Attempts = 0 }},
		{"refusal", func(r *record.Record) { r.Refusal = "" }},
		{"error", func(r *record.Record) { r.Error = "" }},
		{"generation", func(r *record.Record) { r.Generation = 0 }},
		{"request", func(r *record.Record) { r.Request = nil }},
		{"response", func(r *record.Record) { r.Response = nil }},
		{"request.header", func(r *record.Record) { r.Request = without(r.Request, true, false) }},
		{"request.body", func(r *record.Record) { r.Request = without(r.Request, false, true) }},
		{"response.header", func(r *record.Record) { r.Response = without(r.Response, true, false) }},
		{"response.body", func(r *record.Record) { r.Response = without(r.Response, false, true) }},
	}
}

// without is a copy: batches are staged again when they come again.
func without(c *record.Capture, header, body bool) *record.Capture {
	if c == nil {
		return nil
	}
	slim := *c
	if header {
		slim.Header = nil
	}
	if body {
		slim.Truncated = slim.Truncated || len(slim.Body) > 0
		slim.Body = nil
	}
	return &slim
}
