package upstream

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/apidef"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

// StatusClientClosed is what an exchange whose client went away is recorded
// with. It is never sent.
const StatusClientClosed = 499

// pool is the upstream of one API.
type pool struct {
	key  string // of the manager
	uses int    // guarded by the manager

	targets      []*target
	turn         *balance
	preserveHost bool
	total        time.Duration
}

var _ filter.Forwarder = (*pool)(nil)

// newPool reads the options; the targets have no connections yet.
func newPool(org string, u apidef.Upstream) (*pool, error) {
	p := &pool{preserveHost: u.PreserveHost, total: time.Duration(u.Timeouts.Total)}
	var weights []int
	for _, t := range u.Targets {
		made, err := newTarget(org, t, u)
		if err != nil {
			return nil, err
		}
		p.targets = append(p.targets, made)
		weights = append(weights, t.EffectiveWeight())
	}
	p.turn = newBalance(weights)
	return p, nil
}

// Forward calls a target. Where no byte of the request could be sent because no
// connection was to be had, the next target that takes calls is tried, each at
// most once.
func (p *pool) Forward(x *filter.Exchange) error {
	first := p.turn.pick()
	if first < 0 {
		return filter.Refuse(http.StatusServiceUnavailable, "upstream.no_target", "no target of this API takes calls")
	}
	var deadline time.Time
	if p.total > 0 {
		deadline = x.Start.Add(p.total)
	}
	var err error
	for i := range p.targets {
		t := p.targets[(first+i)%len(p.targets)]
		if !t.takes {
			continue
		}
		if err = p.call(x, t, deadline); err == nil || !unreached(err) {
			break
		}
	}
	if err != nil {
		return Refusal(err)
	}
	return nil
}

func (p *pool) call(x *filter.Exchange, t *target, deadline time.Time) error {
	x.Attempts++
	x.Target = t.url
	out := message.Outbound{Target: outboundTarget(x, t.prefix), Host: t.host, Deadline: deadline}
	if p.preserveHost {
		out.Host = x.Request.Host
	}
	began := time.Now()
	resp, err := t.conns.Do(x.Request.Context, x.Request, out)
	x.UpstreamTime = time.Since(began)
	if err != nil {
		return err
	}
	x.Response = resp
	return nil
}

// outboundTarget is the request-target for a target: its prefix, the path below
// the listen path (or the whole one), and the query. Where that is how the request
// ended, it is a slice of what came.
func outboundTarget(x *filter.Exchange, prefix string) string {
	r := x.Request
	path := r.Path
	if x.API.Strip {
		path = x.Rest
	}
	if !r.HasQuery {
		if prefix == "" {
			return path
		}
		return prefix + path
	}
	if prefix == "" {
		if head, ok := strings.CutSuffix(r.Target, r.Query); ok && strings.HasSuffix(head, "?") && strings.HasSuffix(head[:len(head)-1], path) {
			return r.Target[len(head)-1-len(path):]
		}
	}
	return prefix + path + "?" + r.Query
}

// unreached tells whether a call failed before a byte of it could be sent.
func unreached(err error) bool {
	var e *message.Failure
	if !errors.As(err, &e) || e.Sent || e.Consumed {
		return false
	}
	return e.Kind == message.ErrConnect || e.Kind == message.ErrConnectTimeout || e.Kind == message.ErrTLS
}

// Refusal turns an error of a call, or of reading its response's body, into the
// answer for the client, a *filter.Reject. The cause goes to the log and the record
// only: it may name what is behind the gateway.
func Refusal(err error) error {
	status, code, msg := http.StatusBadGateway, fault.Code("upstream.failed"), "the upstream could not be called"
	switch kind := message.KindOf(err); kind {
	case message.ErrQueueFull, message.ErrQueueTimeout:
		status, code, msg = http.StatusServiceUnavailable, "upstream.busy", "all connections to the upstream are in use"
	case message.ErrConnect:
		code, msg = "upstream.unreachable", "the upstream cannot be reached"
	case message.ErrConnectTimeout, message.ErrFirstByteTimeout, message.ErrBodyTimeout, message.ErrDeadline:
		status, code, msg = http.StatusGatewayTimeout, "upstream.timeout", "the upstream did not answer in time"
	case message.ErrTLS:
		code, msg = "upstream.tls", "the upstream could not be called over TLS"
	case message.ErrClosed:
		code, msg = "upstream.closed", "the upstream closed the connection before its answer was complete"
	case message.ErrMalformed, message.ErrTooLarge:
		code, msg = "upstream.malformed", "the upstream's answer is not well-formed HTTP"
	case message.ErrAborted:
		status, code, msg = StatusClientClosed, "client.closed", "the client went away"
	case message.ErrRequestBody:
		status, code, msg = http.StatusBadRequest, "request.body", "the request body could not be read to its end"
		if errors.Is(err, message.ErrSlow) {
			status, code, msg = http.StatusRequestTimeout, "request.slow", "the request body did not come in time"
		}
	case message.ErrRequest:
		status, code, msg = http.StatusInternalServerError, "request.unwritable", "the request cannot be written for the upstream"
	}
	r := filter.Refuse(status, code, "%s", msg).Because(err)
	if status == http.StatusServiceUnavailable {
		r = r.RetryAfter(time.Second)
	}
	return r
}
