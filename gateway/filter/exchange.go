package filter

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/gateway/explain"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/pkg/access"
)

// MaxFilters bounds the filters of one chain, and so the state that an exchange
// may hold.
const MaxFilters = 64

// API is what filters may know of the API that matched. Immutable.
type API struct {
	Org        string
	ID         string
	Name       string
	ListenPath string // as configured
	Strip      bool
}

// Endpoint is what filters may know of the endpoint that matched. Immutable.
type Endpoint struct {
	ID   string
	Path string // its template
}

// Node is the gateway itself. Immutable.
type Node struct {
	ID    string
	Name  string
	Group string
}

// Param is a path parameter of the listen path or the endpoint.
type Param struct{ Name, Value string }

// Exchange is one request in flight with everything that the gateway knows of
// it. It is pooled: nothing may keep it, or a string of its messages, after the
// response was written. Not safe for concurrent use.
type Exchange struct {
	Request  *message.Request
	Response *message.Response // nil until a filter or the upstream answered

	API      *API      // nil when nothing matched
	Endpoint *Endpoint // nil when no endpoint matched
	Params   []Param   // of listen path, then endpoint
	Rest     string    // normalised path below the listen path, "/" at least
	Node     *Node

	Start time.Time
	ID    string // request id, set by requestid

	// Client is the address that the request is believed to come from, set by
	// clientip; before it, the peer's.
	Client netip.Addr
	// ClientText is Client as text, set by clientip, so that nobody formats it again.
	ClientText string
	// ClientScheme and ClientHost are what the client used, as believed from trusted
	// proxies, else of the connection itself.
	ClientScheme string
	ClientHost   string
	// ClientMethod, ClientPath (normalised, where it could be) and ClientQuery are what
	// the client asked for, and ClientAgent its User-Agent, set by serve: filters may
	// change the request.
	ClientMethod string
	ClientPath   string
	ClientQuery  string
	ClientAgent  string
	// TrustedPeer is set when the peer is a trusted proxy.
	TrustedPeer bool

	// Session is what the caller may do; nil for a caller without identity.
	Session *access.Session

	// Upstream facts, set by the forwarder.
	Target       string        // URL of the target that was called last
	UpstreamTime time.Duration // until the head of its response
	Attempts     int

	// Refusal is why the gateway answered by itself with an error; nil otherwise.
	Refusal *Reject

	// Explain collects decisions; nil unless somebody asked.
	Explain *explain.Recorder

	entered int   // filters entered, for the way back
	slot    int   // of the filter that runs now
	state   []any // by slot, as far as any was set
}

// State returns what the running filter kept by SetState in this exchange.
func (x *Exchange) State() any {
	if x.slot >= len(x.state) {
		return nil
	}
	return x.state[x.slot]
}

// SetState keeps a value between the running filter's two halves.
func (x *Exchange) SetState(v any) {
	for x.slot >= len(x.state) {
		x.state = append(x.state, nil)
	}
	x.state[x.slot] = v
}

// Enter is called by the chain before a filter's half runs.
func (x *Exchange) Enter(slot int) { x.slot = slot }

// Slot tells which filter runs now. For the chain.
func (x *Exchange) Slot() int { return x.slot }

// Entered and SetEntered tell how far the request half of the chain came. For the chain.
func (x *Exchange) Entered() int { return x.entered }

// SetEntered notes how far the request half came. For the chain.
func (x *Exchange) SetEntered(n int) { x.entered = n }

// Param returns a path parameter's value, or "".
func (x *Exchange) Param(name string) string {
	for i := range x.Params {
		if x.Params[i].Name == name {
			return x.Params[i].Value
		}
	}
	return ""
}

// Reset empties the exchange for its next use and keeps its storage.
func (x *Exchange) Reset() {
	clear(x.Params)
	clear(x.state)
	*x = Exchange{Params: x.Params[:0], state: x.state[:0]}
}

// Pool keeps exchanges for reuse. The zero value is ready.
type Pool struct{ p sync.Pool }

// Get returns an empty exchange.
func (p *Pool) Get() *Exchange {
	if x, ok := p.p.Get().(*Exchange); ok {
		return x
	}
	return &Exchange{Params: make([]Param, 0, 8), state: make([]any, 0, 16)}
}

// Put takes an exchange back; the caller must not use it any more.
func (p *Pool) Put(x *Exchange) {
	x.Reset()
	p.p.Put(x)
}
