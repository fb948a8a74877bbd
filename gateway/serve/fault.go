package serve

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/upstream"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// body is an error answer of the gateway, unless the API has a template for it.
type body struct {
	Status    int        `json:"status"`
	Code      fault.Code `json:"code"`
	Message   string     `json:"message"`
	RequestID string     `json:"requestId,omitempty"`
}

// refuse renders an error into the exchange's response. What is not a Reject is
// our fault: the client learns the request id, the log the rest.
func (h *Handler) refuse(x *filter.Exchange, c *chain.Chain, err error) {
	if x.Response != nil {
		_ = x.Response.Body.Close()
		x.Response = nil
	}
	var r *filter.Reject
	if !errors.As(err, &r) {
		h.o.Log.Error("request failed", "error", err, "request", x.ID, "api", apiID(x))
		r = filter.Refuse(http.StatusInternalServerError, "internal", "the gateway could not handle this request").Because(err)
	} else if r.Status >= http.StatusInternalServerError {
		h.tell(x, "request refused", string(r.Code), r.Err)
	}
	x.Refusal = r
	if grpcCall(x.Request) {
		x.Response = grpcAnswer(r)
	} else {
		x.Response = h.page(x, c, r)
	}
	for _, f := range r.Header {
		x.Response.Header.Add(f[0], f[1])
	}
	x.Response.Header.Add("Cache-Control", "no-store")
}

// page is a refusal as HTTP has it: JSON, or the API's own template.
func (h *Handler) page(x *filter.Exchange, c *chain.Chain, r *filter.Reject) *message.Response {
	status, contentType, text := r.Status, "application/json", []byte(nil)
	if render, ok := c.ErrorBody(r.Status); ok && r.Status != upstream.StatusClientClosed {
		data := filter.ErrorData{Status: r.Status, Code: string(r.Code), Message: r.Message, RequestID: x.ID, Path: x.Request.Path}
		if x.API != nil {
			data.API = x.API.Name
		}
		var terr error
		if status, contentType, text, terr = render.RenderError(data); terr != nil {
			h.o.Log.Error("error template failed", "error", terr, "request", x.ID, "api", apiID(x))
			status, contentType, text = r.Status, "application/json", nil
		}
	}
	if text == nil {
		text, _ = json.Marshal(body{r.Status, r.Code, r.Message, x.ID})
		text = append(text, '\n')
	}
	return filter.Respond(status, contentType, text)
}

func apiID(x *filter.Exchange) string {
	if x.API == nil {
		return ""
	}
	return x.API.ID
}
