// Package serve is the path of a request: match, run the chain, forward, unwind,
// write, observe.
//
// The journey in files: http1/server.go reads a request and calls Handler.Serve in
// handler.go here, which loads the table once, asks route/table.go for the API,
// walks chain/run.go, calls upstream/forward.go, walks back, and hands the
// response to write.go. What went wrong on the way is rendered in fault.go, the one
// place where an error becomes an answer. redirect.go sends callers to https,
// upgrade.go looks at WebSocket handshakes and hands over to serve/tunnel after a 101.
// serve/tcp is the path of connections that are no HTTP.
package serve

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/meter"
	"github.com/sluice-gateway/sluice/gateway/route"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
)

// Observer sees every exchange after its last byte, while its messages are still
// valid. It must not block and must not keep the exchange.
type Observer interface {
	Observe(x *filter.Exchange, o Outcome)
	// Keep is Observe for an exchange that became a tunnel, which outlives the exchange:
	// it takes what it needs and returns what is called once when the tunnel ends, with
	// the outcome of that time; or nil.
	Keep(x *filter.Exchange, o Outcome) (end func(Outcome))
}

// Outcome is what came of an exchange.
type Outcome = meter.Outcome

// errPanic is the outcome of an exchange that a panic ended.
var errPanic = errors.New("the gateway failed while it served the request")

// Options of a Handler.
type Options struct {
	World     *route.World
	Unmatched *chain.Chain // for requests that belong to no API
	Node      *filter.Node
	Observer  Observer
	Log       *slog.Logger
	// Tunnel limits WebSockets and other upgrades. Default: no limits.
	Tunnel tunnel.Limits
	// HTTPSPort is the port in the redirects of APIs with listen.redirectHttp. Default
	// 0: none is written, which means 443.
	HTTPSPort int
}

// Handler answers requests. Safe for concurrent use.
type Handler struct {
	o         Options
	exchanges filter.Pool
	buffers   buffers
	tunnels   *tunnel.Set
	troubles  troubles
}

var _ message.Handler = (*Handler)(nil)

// New makes a handler; every option without a default is needed.
func New(o Options) *Handler { return &Handler{o: o, tunnels: tunnel.NewSet(o.Tunnel)} }

// Serve answers one request. Where that is a 101 it passes bytes until the tunnel's
// end, or lets the engine call for that later, with the exchange given back.
func (h *Handler) Serve(w message.Writer, r *message.Request) {
	if t := h.exchange(w, r); t != nil {
		if engine, ok := w.(interface{ Later(f func()) }); ok {
			engine.Later(func() { h.pass(t) })
			return
		}
		h.pass(t)
	}
}

// exchange is one request and its response. It returns the tunnel that is to follow.
func (h *Handler) exchange(w message.Writer, r *message.Request) (follows *switched) {
	x := h.exchanges.Get()
	x.Request, x.Node, x.Start, x.Client = r, h.o.Node, time.Now(), r.Remote.Addr().Unmap()
	x.ClientScheme, x.ClientHost, x.ClientMethod = r.Scheme, r.Host, r.Method
	x.ClientAgent, _ = r.Header.Known(message.UserAgent)
	table, body := h.o.World.Load(), r.Body

	var c *chain.Chain
	out := Outcome{Status: http.StatusInternalServerError, Aborted: true, Err: errPanic} // of a panic
	whole := false
	defer func() {
		out.Duration, out.Generation, out.Chain = time.Since(x.Start), table.State().Generation, c
		if n, ok := body.(interface{ Received() int64 }); ok {
			out.Received += n.Received()
		}
		if follows != nil {
			follows.keep(h.o.Observer, x, out)
		} else {
			h.o.Observer.Observe(x, out)
		}
		if x.Response != nil {
			_ = x.Response.Body.Close()
		}
		if whole { // else whoever panicked may still hold it
			h.exchanges.Put(x)
		}
	}()
	c = h.answer(x, table)
	entered := x.Entered()
	h.unwind(x, c)
	out, follows = h.write(w, x, c, entered)
	whole = true
	return follows
}

// answer sets the exchange's response and returns the chain that takes it back.
func (h *Handler) answer(x *filter.Exchange, table *route.Table) *chain.Chain {
	api, ep, err := table.Match(x.Request, x)
	x.ClientPath, x.ClientQuery = x.Request.Path, x.Request.Query
	c := h.o.Unmatched
	switch {
	case ep != nil:
		c = ep.Chain
	case api != nil:
		c = api.Chain
	}
	if err == nil && api.Secure {
		if err = h.secure(x, c); err == nil && x.Response == nil {
			err = c.Resume(x)
		}
	} else if err != nil {
		// refused before the chain: still with a request id, a client address, and
		// what the answers of its API look like
		if cerr := c.Receive(x); cerr != nil {
			err = cerr
		}
	} else {
		err = c.Run(x)
	}
	if err == nil && x.Response == nil {
		err = forward(x, api.Forwarder)
	}
	if err != nil {
		h.refuse(x, c, err)
	}
	return c
}

// unwind takes the response back through the chain. A filter whose way back
// fails replaces the response by an error answer, which goes on from there.
func (h *Handler) unwind(x *filter.Exchange, c *chain.Chain) {
	for {
		err := c.Unwind(x)
		if err == nil {
			return
		}
		h.refuse(x, c, err)
	}
}
