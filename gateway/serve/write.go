package serve

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/chain"
	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/upstream"
)

// bufferSize is what one read of a response body takes at most.
const bufferSize = 32 << 10

// buffers keeps body buffers for reuse. The zero value is ready.
type buffers struct{ p sync.Pool }

func (b *buffers) get() *[bufferSize]byte {
	if v, ok := b.p.Get().(*[bufferSize]byte); ok {
		return v
	}
	return new([bufferSize]byte)
}

func (b *buffers) put(v *[bufferSize]byte) { b.p.Put(v) }

// write sends the exchange's response to the client. A response that cannot be
// completed is replaced by an error answer as long as nothing of it left, and ends
// so that the client can tell after that. The chain c took the response back
// through its first entered filters.
func (h *Handler) write(w message.Writer, x *filter.Exchange, c *chain.Chain, entered int) (Outcome, *switched) {
	resp := x.Response
	if x.Request.Abort.Fired() || x.Refusal != nil && x.Refusal.Status == upstream.StatusClientClosed {
		w.Fail()
		return Outcome{Status: upstream.StatusClientClosed, Aborted: true}, nil
	}
	if resp.Status == http.StatusSwitchingProtocols && resp.Tunnel != nil {
		return h.switchOver(w, x)
	}
	out := Outcome{Status: resp.Status}
	if x.Refusal != nil && grpcCall(x.Request) {
		out.Status = x.Refusal.Status // the 200 of gRPC says nothing
	}
	err := w.WriteHead(resp)
	if err == nil {
		err = h.copy(w, resp)
	}
	if err == nil {
		err = w.Finish(resp.Trailer)
	}
	out.Bytes = w.Sent()
	if err != nil {
		out.Aborted = true
		if kind := message.KindOf(err); kind != 0 && kind != message.ErrAborted {
			out.Err = err
			if w.Discard() {
				// the error answer goes the same way back; its body is the gateway's
				// own, so that this happens once
				h.refuse(x, c, upstream.Refusal(err))
				x.SetEntered(entered)
				h.unwind(x, c)
				return h.write(w, x, c, entered)
			}
			h.tell(x, "response cut short", "upstream."+kind.String(), err)
		}
		w.Fail()
	}
	return out, nil
}

// copy streams the body. One that comes from the engine writes itself: without a
// copy, and flushing before it waits where the response is a stream. Of others, the
// head of a stream is sent before its first bytes are waited for, and bytes whose
// length nobody knows are sent as they come.
func (h *Handler) copy(w message.Writer, resp *message.Response) error {
	if resp.ContentLength == 0 {
		return nil
	}
	if own, ok := resp.Body.(io.WriterTo); ok {
		_, err := own.WriteTo(w)
		return err
	}
	buf := h.buffers.get()
	defer h.buffers.put(buf)
	if resp.Stream {
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for {
		n, err := resp.Body.Read(buf[:])
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case resp.Stream || resp.ContentLength < 0:
			if ferr := w.Flush(); ferr != nil {
				return ferr
			}
		}
	}
}
