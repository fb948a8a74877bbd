package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// tunnels are the connections that were handed over after a 101.
type tunnels struct {
	mu   sync.Mutex
	open map[*tunnel]struct{}
	wait sync.WaitGroup
	down bool
}

type tunnel struct{ client, upstream net.Conn }

func (t *tunnel) close() {
	_ = t.client.Close()
	_ = t.upstream.Close()
}

func (ts *tunnels) add(t *tunnel) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.down {
		return false
	}
	if ts.open == nil {
		ts.open = map[*tunnel]struct{}{}
	}
	ts.open[t] = struct{}{}
	ts.wait.Add(1)
	return true
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	delete(ts.open, t)
	ts.mu.Unlock()
	ts.wait.Done()
}

// Shutdown lets open tunnels live until ctx ends and then cuts them. New ones are
// refused from now on.
func (h *Handler) Shutdown(ctx context.Context) {
	h.tunnels.mu.Lock()
	h.tunnels.down = true
	h.tunnels.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.tunnels.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	h.tunnels.mu.Lock()
	for t := range h.tunnels.open {
		t.close()
	}
	h.tunnels.mu.Unlock()
	<-done
}

// tunnel passes bytes both ways between the client and the upstream after a 101
// (RFC 9110, 7.8), until both sides have ended or one broke.
func (h *Handler) tunnel(w message.Writer, x *filter.Exchange) Outcome {
	resp := x.Response
	out := Outcome{Status: http.StatusSwitchingProtocols}
	if err := w.WriteHead(resp); err != nil {
		return Outcome{Status: out.Status, Aborted: true}
	}
	if err := w.Flush(); err != nil {
		return Outcome{Status: out.Status, Aborted: true}
	}
	client, early, err := w.Hijack()
	if err != nil {
		w.Fail()
		return Outcome{Status: out.Status, Aborted: true}
	}
	t := &tunnel{client, resp.Tunnel}
	defer t.close()
	if !h.tunnels.add(t) {
		return Outcome{Status: out.Status, Aborted: true}
	}
	defer h.tunnels.remove(t)

	var both sync.WaitGroup
	both.Go(func() { out.Received = pass(t.upstream, t.client, early) })
	out.Bytes = pass(t.client, t.upstream, resp.Buffered)
	both.Wait()
	return out
}

// pass copies from src to dst, what was read before first, then tells dst that
// nothing more comes.
func pass(dst, src net.Conn, first []byte) int64 {
	n, err := dst.Write(first)
	total := int64(n)
	if err == nil {
		var more int64
		more, err = io.Copy(dst, src)
		total += more
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return total
	}
	_ = dst.Close()
	_ = src.Close()
	return total
}
