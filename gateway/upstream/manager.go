// Package upstream calls the servers behind an API: it chooses a target, sends
// the request over a pooled connection and turns what went wrong into one answer.
//
// Read forward.go for a call, target.go for one server, tls.go and auto.go for how
// it is spoken to, balance.go for the choice among several, and manager.go for how
// pools outlive reloads.
package upstream

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// Manager lends forwarders, counted by their options: an API that is compiled
// again with the same upstream keeps its warm connections. Safe for concurrent
// use.
type Manager struct {
	d deps

	mu   sync.Mutex
	lent map[string]*pool
}

// NewManager makes an empty manager. The clock is shared with the servers. The
// certificates are those that definitions name; nil: there are none.
func NewManager(clock *http1.Clock, certs Certificates) *Manager {
	if certs == nil {
		certs = none{}
	}
	return &Manager{d: deps{clock, certs}, lent: map[string]*pool{}}
}

// Acquire returns the forwarder of an API's upstream options. It opens nothing;
// connections are made on demand. A certificate that the options name and that is
// not there is a fault with apidef.CodeCertificateMissing; one that changes later is used
// for connections that are made after that.
func (m *Manager) Acquire(org, api string, u apidef.Upstream) (filter.Forwarder, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return nil, fmt.Errorf("upstream options: %w", err)
	}
	key := org + "\x00" + api + "\x00" + string(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.lent[key]; p != nil {
		p.uses++
		return p, nil
	}
	if err := present(u.TLS, m.d.certs); err != nil {
		return nil, err
	}
	p, err := newPool(u, m.d)
	if err != nil {
		return nil, err
	}
	p.key, p.uses = key, 1
	m.lent[key] = p
	return p, nil
}

// Release gives a forwarder back. The last one closes the idle connections; an
// exchange that still holds it ends well on a connection of its own.
func (m *Manager) Release(f filter.Forwarder) {
	p, ok := f.(*pool)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lent[p.key] != p { // given back too often
		return
	}
	if p.uses--; p.uses > 0 {
		return
	}
	delete(m.lent, p.key)
	for _, t := range p.targets {
		t.conns.Close()
	}
}

// Close makes every pool keep no connection any more, at the end of the process.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.lent {
		for _, t := range p.targets {
			t.conns.Close()
		}
	}
}
