package serve

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
	"github.com/sluice-gateway/sluice/pkg/fault"
)

const (
	webSocket = "websocket"
	// version is the one version of the protocol (RFC 6455, 4.1).
	version = "13"
	// acceptGUID is what the accept value is made with (RFC 6455, 1.3).
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// forward calls the upstream. A WebSocket handshake is looked at before, and the
// origin's answer to it afterwards.
func forward(x *filter.Exchange, f filter.Forwarder) error {
	r := x.Request
	if r.Upgrade == "" {
		if r.Method != http.MethodGet {
			if err := noHandshake(r); err != nil {
				return err
			}
		}
		return f.Forward(x)
	}
	if r.Upgrade != webSocket {
		return f.Forward(x)
	}
	key, err := handshake(&r.Header)
	if err != nil {
		return err
	}
	accept := acceptOf(key)
	if err := f.Forward(x); err != nil || x.Response.Status != http.StatusSwitchingProtocols {
		return err
	}
	return accepted(&x.Response.Header, &r.Header, accept)
}

// noHandshake refuses a WebSocket handshake by another method than GET (RFC 6455,
// 4.1). What else asks for an upgrade that nobody grants goes on without it.
func noHandshake(r *message.Request) error {
	if p, ok := r.Header.Known(message.Upgrade); ok && message.EqualFold(p, webSocket) {
		if _, ok := r.Header.Lookup("Sec-WebSocket-Key"); ok {
			return badHandshake("websocket.method", "a WebSocket handshake is a GET")
		}
	}
	return nil
}

func badHandshake(code fault.Code, message string) *filter.Reject {
	return filter.Refuse(http.StatusBadRequest, code, "%s", message).With("Sec-WebSocket-Version", version)
}

// handshake checks a client's opening handshake (RFC 6455, 4.2.1) and returns its key.
func handshake(h *message.Header) (key string, err error) {
	v, n := only(h, "Sec-WebSocket-Version")
	switch {
	case n != 1:
		return "", badHandshake("websocket.version", "a WebSocket handshake has one Sec-WebSocket-Version field")
	case v != version:
		return "", filter.Refuse(http.StatusUpgradeRequired, "websocket.version", "this version of the WebSocket protocol is not spoken here: use 13").
			With("Upgrade", webSocket).With("Sec-WebSocket-Version", version)
	}
	key, n = only(h, "Sec-WebSocket-Key")
	if n != 1 || !validKey(key) {
		return "", badHandshake("websocket.key", "a WebSocket handshake has one Sec-WebSocket-Key field of 16 bytes in base64")
	}
	return key, nil
}

// only returns the value of a field and how often it stands there.
func only(h *message.Header, name string) (value string, n int) {
	for f := range h.Fields() {
		if message.EqualFold(f.Name, name) {
			value = f.Value
			n++
		}
	}
	return value, n
}

func validKey(key string) bool {
	var b [18]byte
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Strict().Decode(b[:], []byte(key))
	return err == nil && n == 16
}

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// accepted checks an origin's 101 (RFC 6455, 4.1): one that does not answer this
// handshake is no WebSocket, and what follows must reach nobody.
func accepted(h, asked *message.Header, accept string) error {
	if v, n := only(h, "Sec-WebSocket-Accept"); n != 1 || v != accept {
		return filter.Refuse(http.StatusBadGateway, "upstream.websocket", "the upstream did not accept the WebSocket handshake as it should").
			Because(fmt.Errorf("the upstream's Sec-WebSocket-Accept is %q, not %q", v, accept))
	}
	v, n := only(h, "Sec-WebSocket-Protocol")
	if n > 1 || n == 1 && !offered(asked, v) {
		return filter.Refuse(http.StatusBadGateway, "upstream.websocket", "the upstream chose a WebSocket subprotocol that was not offered").
			Because(fmt.Errorf("the upstream's Sec-WebSocket-Protocol is %q", v))
	}
	return nil
}

// offered tells whether a subprotocol is one of those that the client named.
func offered(h *message.Header, protocol string) bool {
	for f := range h.Fields() {
		if !message.EqualFold(f.Name, "Sec-WebSocket-Protocol") {
			continue
		}
		for p := range strings.SplitSeq(f.Value, ",") {
			if strings.Trim(p, " \t") == protocol {
				return true
			}
		}
	}
	return false
}

// switched is an exchange that has become a tunnel. It holds nothing of the exchange.
type switched struct {
	ends   tunnel.Ends
	start  time.Time
	status int
	end    func(Outcome) // of the observer
	close  func() error  // of what cannot be detached
}

// switchOver sends the 101 and takes both connections over (RFC 9110, 7.8).
func (h *Handler) switchOver(w message.Writer, x *filter.Exchange) (Outcome, *switched) {
	resp := x.Response
	out := Outcome{Status: http.StatusSwitchingProtocols, Aborted: true}
	if w.WriteHead(resp) != nil || w.Flush() != nil {
		return out, nil
	}
	client, early, err := w.Hijack()
	if err != nil {
		w.Fail()
		return out, nil
	}
	protocol := strings.Clone(x.Request.Upgrade)
	return Outcome{Status: out.Status}, &switched{
		start: x.Start, status: out.Status,
		ends: tunnel.Ends{
			Client: client, Upstream: resp.Tunnel, FromClient: early, FromUpstream: resp.Buffered, WebSocket: protocol == webSocket,
			Name: strings.Clone(apiID(x)), Address: x.Client.String(), Protocol: protocol,
		},
	}
}

// keep lets the observer take what it needs and then frees the rest of the exchange.
func (t *switched) keep(o Observer, x *filter.Exchange, out Outcome) {
	t.end = o.Keep(x, out)
	body := x.Response.Body
	if d, ok := body.(interface{ Detach() bool }); ok && d.Detach() {
		return
	}
	t.close = body.Close
	x.Response = nil // it stays open as long as the tunnel
}

// pass is the tunnel's life.
func (h *Handler) pass(t *switched) {
	done := false
	defer func() {
		if t.close != nil {
			_ = t.close()
		}
		if v := recover(); v != nil {
			h.o.Log.Error("a tunnel failed", "panic", v, "stack", string(debug.Stack()))
		}
		if !done {
			closeBoth(t.ends.Client, t.ends.Upstream)
		}
	}()
	end, start, status := t.end, t.start, t.status
	t.ends.Ended = func(r tunnel.Result) {
		if end == nil {
			return
		}
		end(Outcome{
			Status: status, Bytes: r.Out, Received: r.In, Duration: time.Since(start), Aborted: r.Reason == tunnel.Refused,
		})
	}
	h.tunnels.Run(t.ends)
	done = true
}

func closeBoth(a, b net.Conn) {
	_ = a.Close()
	_ = b.Close()
}

// Tunnels are the open tunnels: counts and a list.
func (h *Handler) Tunnels() *tunnel.Set { return h.tunnels }

// Shutdown refuses new tunnels from now on, says goodbye to WebSockets, lets other
// tunnels live until ctx ends, and then cuts what is left.
func (h *Handler) Shutdown(ctx context.Context) { h.tunnels.Shutdown(ctx) }
