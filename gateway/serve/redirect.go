package serve

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// secure runs the receive stage and then refuses a caller of an API with
// listen.redirectHttp who did not come by https, as the receive stage judges it
// (trusted proxies are believed), with 308 to the same host, path and query there
// (RFC 9110, 15.4.9). That is before authentication: a key that was sent in the clear
// is not looked at.
func (h *Handler) secure(x *filter.Exchange, c *chain.Chain) error {
	if err := c.Receive(x); err != nil || x.Response != nil || x.ClientScheme == "https" {
		return err
	}
	host := bareHost(x.ClientHost)
	if host == "" {
		return filter.Refuse(http.StatusBadRequest, "redirect.no_host", "this API is served over https only, and the request names no host to redirect to")
	}
	to := "https://" + host
	if p := h.o.HTTPSPort; p != 0 && p != 443 {
		to += ":" + strconv.Itoa(p)
	}
	to += x.ClientPath
	if x.Request.HasQuery {
		to += "?" + x.ClientQuery
	}
	return filter.Refuse(http.StatusPermanentRedirect, "redirect.https", "this API is served over https only").With("Location", to)
}

// bareHost is an authority without its port.
func bareHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}
