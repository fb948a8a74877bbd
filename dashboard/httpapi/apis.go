package httpapi

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/dashboard/apis"
	"github.com/sluice-gateway/sluice/dashboard/exchange"
	"github.com/sluice-gateway/sluice/dashboard/publish"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
)

func (a *api) availability(c *call) error {
	if err := c.Query("domain", "path", "groups", "id"); err != nil {
		return err
	}
	p := apis.Place{Org: c.org(), ID: c.Param("id"), Domain: c.Param("domain"), Path: c.Param("path")}
	if p.Path == "" {
		return exchange.BadQuery("path", "path is the listen path that is asked for, such as /orders/")
	}
	if groups := c.Param("groups"); groups != "" {
		p.Groups = strings.Split(groups, ",")
	}
	found, err := a.APIs.Availability(c.R.Context(), p)
	if err != nil {
		return err
	}
	found.Problems = exchange.Warnings(found.Problems)
	return c.JSON(http.StatusOK, found)
}

func (a *api) checkAPI(c *call) error {
	if err := c.Query("id"); err != nil {
		return err
	}
	text, err := c.Body()
	if err != nil {
		return err
	}
	problems, err := a.APIs.Check(c.R.Context(), c.org(), c.Param("id"), text)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Problems []fault.Problem `json:"problems"`
	}{exchange.Warnings(problems)})
}

func (a *api) apiStatus(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	o, err := a.APIs.Get(c.R.Context(), c.org(), c.id())
	if err != nil {
		return err
	}
	s, err := a.Engine.Status(c.R.Context(), o.Rev)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		ID      string         `json:"id"`
		State   string         `json:"state"`
		Publish publish.Status `json:"publish"`
	}{o.ID, o.Summary.State, s})
}

// runRequest is a request to send through a gateway.
type runRequest struct {
	Node    string     `json:"node"`    // id of the gateway; "" is any
	Method  string     `json:"method"`  // default GET
	Host    string     `json:"host"`    // default: the API's first domain
	Path    string     `json:"path"`    // with the listen path, and a query; default: the listen path
	Headers [][]string `json:"headers"` // name and value, in their order
	Body    string     `json:"body"`
}

// runAnswer is what came back.
type runAnswer struct {
	Status    int         `json:"status"`
	MS        int64       `json:"ms"`
	Headers   [][2]string `json:"headers"`
	Body      string      `json:"body"`
	Encoding  string      `json:"bodyEncoding"` // utf-8 or base64
	Truncated bool        `json:"truncated"`
	Error     string      `json:"error,omitempty"`
}

func (a *api) runAPI(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	in, err := exchange.Decode[runRequest](c.Exchange)
	if err != nil {
		return err
	}
	o, err := a.APIs.Get(c.R.Context(), c.org(), c.id())
	if err != nil {
		return err
	}
	d, _ := apidef.DecodeStored(o.Text)
	if d == nil {
		return fault.New(fault.Conflict, "api.unreadable", "the stored definition cannot be read by this version; change it first")
	}
	req, err := in.request(d)
	if err != nil {
		return err
	}
	reply, err := a.Commands.Run(c.R.Context(), in.Node, req)
	if err != nil {
		return err
	}
	out := runAnswer{
		Status: reply.Status, MS: reply.Millis, Headers: reply.Headers, Body: string(reply.Body), Encoding: "utf-8",
		Truncated: reply.Truncated, Error: reply.Error,
	}
	if out.Headers == nil {
		out.Headers = [][2]string{}
	}
	if !utf8.Valid(reply.Body) {
		out.Body, out.Encoding = base64.StdEncoding.EncodeToString(reply.Body), "base64"
	}
	return c.JSON(http.StatusOK, out)
}

// request fills in what the definition says and keeps to the API's own path.
func (in *runRequest) request(d *apidef.Definition) (notice.Run, error) {
	req := notice.Run{Method: in.Method, Host: in.Host, Target: in.Path, Body: []byte(in.Body)}
	for i, h := range in.Headers {
		if len(h) != 2 {
			return req, fault.New(fault.Unprocessable, "run.header_invalid", "a header is a list of its name and its value, such as [\"Accept\", \"*/*\"]").At("/headers/" + strconv.Itoa(i))
		}
		req.Headers = append(req.Headers, [2]string{h[0], h[1]})
	}
	if req.Method == "" {
		req.Method = http.MethodGet
	}
	if req.Host == "" {
		req.Host = "localhost"
		if len(d.Listen.Domains) > 0 && !strings.Contains(d.Listen.Domains[0], "*") {
			req.Host = d.Listen.Domains[0]
		}
	}
	listen := apidef.NormalizePath(d.Listen.Path)
	fixed, _, templated := strings.Cut(listen, "{")
	if req.Target == "" {
		if templated {
			return req, fault.New(fault.Unprocessable, "run.path_missing", "the listen path %s has parameters; give a path with their values", listen).At("/path")
		}
		req.Target = listen
	}
	path, _, _ := strings.Cut(req.Target, "?")
	if !strings.HasPrefix(path+"/", strings.TrimSuffix(fixed, "/")+"/") && (!templated || !strings.HasPrefix(path, fixed)) {
		return req, fault.New(fault.Unprocessable, "run.path_outside", "path %s is not below the API's listen path %s", exchange.Brief(path), listen).At("/path")
	}
	return req, nil
}

func (a *api) probe(c *call) error {
	if err := c.Query(); err != nil {
		return err
	}
	in, err := exchange.Decode[struct {
		URL     string `json:"url"`
		Group   string `json:"group"`   // of the gateway that asks; "" is any
		Timeout string `json:"timeout"` // such as 5s, which is the default; at most 30s
	}](c.Exchange)
	if err != nil {
		return err
	}
	p := notice.Probe{URL: in.URL}
	if in.Timeout != "" {
		d, err := time.ParseDuration(in.Timeout)
		if err != nil || d <= 0 {
			return fault.New(fault.Unprocessable, "probe.timeout_invalid", "timeout is a duration such as 5s").At("/timeout")
		}
		p.TimeoutMillis = d.Milliseconds()
	}
	reply, gateway, err := a.Commands.Probe(c.R.Context(), in.Group, p)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		notice.ProbeReply
		Gateway string `json:"gateway"` // name of the gateway that asked
	}{reply, gateway})
}
