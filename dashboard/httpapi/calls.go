package httpapi

import (
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/dashboard/calls"
	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/record"
)

// callDTO is one call as the list shows it.
type callDTO struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	Method     string     `json:"method"`
	Host       string     `json:"host"`
	Path       string     `json:"path"`
	Status     int        `json:"status"`
	TotalMS    float64    `json:"totalMs"`
	UpstreamMS float64    `json:"upstreamMs"`
	GatewayMS  float64    `json:"gatewayMs"`
	API        *calledAPI `json:"api,omitempty"`
	Key        string     `json:"key,omitempty"`
	KeyAlias   string     `json:"keyAlias,omitempty"`
	Target     string     `json:"target,omitempty"`
	Node       string     `json:"node"`
	Refusal    string     `json:"refusal,omitempty"`
	Flags      []string   `json:"flags"`
}

// calledAPI is the API that a call matched. Its name is absent when it is gone.
type calledAPI struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// callDetail is the rest of a record.
type callDetail struct {
	Scheme      string      `json:"scheme,omitempty"`
	Protocol    string      `json:"protocol,omitempty"`
	Query       string      `json:"query,omitempty"`
	Version     string      `json:"version,omitempty"`
	Endpoint    string      `json:"endpoint,omitempty"`
	Route       string      `json:"route,omitempty"`
	OAuthClient string      `json:"oauthClient,omitempty"`
	Policies    []string    `json:"policies"`
	Tags        []string    `json:"tags"`
	Client      string      `json:"client,omitempty"`
	Country     string      `json:"country,omitempty"`
	UserAgent   string      `json:"userAgent,omitempty"`
	RequestID   string      `json:"requestId,omitempty"`
	TraceID     string      `json:"traceId,omitempty"`
	BytesIn     int64       `json:"bytesIn"`
	BytesOut    int64       `json:"bytesOut"`
	Attempts    int         `json:"attempts"`
	Error       string      `json:"error,omitempty"`
	Generation  int64       `json:"generation"`
	Group       string      `json:"group,omitempty"`
	Sample      float64     `json:"sample"`
	Request     *captureDTO `json:"request,omitempty"`
	Response    *captureDTO `json:"response,omitempty"`
}

// captureDTO is one recorded message.
type captureDTO struct {
	Headers      [][2]string `json:"headers"`
	Body         string      `json:"body"`
	BodyEncoding string      `json:"bodyEncoding"`
	Size         int64       `json:"size"`
	Truncated    bool        `json:"truncated"`
}

// callPage is a page of calls with the range that was searched.
type callPage struct {
	exchange.Page[callDTO]
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Problems []fault.Problem `json:"problems"` // warnings
}

func (a *api) listRequests(c *call) error {
	if err := c.Query(append(calls.Parameters(), "limit")...); err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return err
	}
	q, err := calls.Parse(c.Param, time.Now())
	if err != nil {
		return err
	}
	q.Limit = limit
	found, err := a.Calls.Find(c.R.Context(), c.org(), q)
	if err != nil {
		return err
	}
	items := make([]callDTO, 0, len(found.Calls))
	for i := range found.Calls {
		items = append(items, newCall(&found.Calls[i]))
	}
	out := callPage{exchange.NewPage(items, found.Next, found.Total), found.From, found.To, exchange.Warnings(found.Problems)}
	out.TotalExact = found.TotalExact
	return c.JSON(http.StatusOK, out)
}

func (a *api) getRequest(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	found, err := a.Calls.Get(c.R.Context(), c.org(), c.id())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		callDTO
		callDetail
	}{newCall(&found), newDetail(&found.Record, found.Group)})
}

// newCall shows a call. What clients sent need not be UTF-8: the encoder puts
// U+FFFD in the place of what is not.
func newCall(e *calls.Call) callDTO {
	out := callDTO{
		ID: e.ID, At: e.At.UTC(), Method: e.Method, Host: e.Host, Path: e.Path, Status: e.Status,
		TotalMS: ms(e.Total), UpstreamMS: ms(e.Upstream), GatewayMS: ms(max(0, e.Total-e.Upstream)),
		Key: e.Key, KeyAlias: e.KeyAlias, Target: e.Target, Node: e.Node, Refusal: e.Refusal, Flags: calls.Flags(e.Record.Flags),
	}
	if e.API != "" {
		out.API = &calledAPI{e.API, e.APIName}
	}
	return out
}

func newDetail(r *record.Record, group string) callDetail {
	return callDetail{
		Scheme: r.Scheme, Protocol: r.Protocol, Query: r.Query, Version: r.Version, Endpoint: r.Endpoint, Route: r.Route,
		OAuthClient: r.OAuthClient, Policies: append([]string{}, r.Policies...), Tags: append([]string{}, r.Tags...),
		Client: r.Client, Country: r.Country, UserAgent: r.UserAgent, RequestID: r.RequestID, TraceID: r.TraceID,
		BytesIn: r.BytesIn, BytesOut: r.BytesOut, Attempts: r.Attempts, Error: r.Error, Generation: r.Generation, Group: group,
		Sample: fraction(r.Sample), Request: newCapture(r.Request), Response: newCapture(r.Response),
	}
}

func newCapture(c *record.Capture) *captureDTO {
	if c == nil {
		return nil
	}
	out := &captureDTO{Headers: make([][2]string, 0, len(c.Header)), Size: c.Size, Truncated: c.Truncated}
	for _, f := range c.Header {
		out.Headers = append(out.Headers, [2]string{f.Name, f.Value})
	}
	out.Body, out.BodyEncoding = calls.Body(c)
	return out
}

// fraction is how many of the calls like it have a record; a record's 0 means all.
func fraction(sample float64) float64 {
	if sample > 0 && sample < 1 {
		return sample
	}
	return 1
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
