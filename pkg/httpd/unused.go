package httpd

import (
	"net"
	"net/http"
	"sync"
)

// unused are connections that have not sent a byte yet, as browsers open them in
// advance. http.Server.Shutdown waits up to 5 s for a first request on each of
// them, which is longer than most graces and would make every stop a late one.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool // no first request is waited for any more
}

// watch is for http.Server.ConnState.
func (u *unused) watch(c net.Conn, s http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case s != http.StateNew:
		delete(u.conns, c)
	case u.over:
		_ = c.Close()
	default:
		if u.conns == nil {
			u.conns = map[net.Conn]struct{}{}
		}
		u.conns[c] = struct{}{}
	}
}

// close closes all of them, and those to come.
func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.over = true
	for c := range u.conns {
		_ = c.Close()
	}
}
