// Package upstream calls the servers behind an API: it chooses a target, sends
// the request over a pooled connection and turns what went wrong into one answer.
//
// Read forward.go for a call, target.go for one server, link.go, tls.go and auto.go
// for how it is spoken to, balance.go for the choice among several, and manager.go
// for how connections are shared and outlive reloads.
package upstream

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/pkg/apidef"
)

// Manager lends forwarders, counted by API and options, and the connections below
// them, counted by link: an API that is compiled again keeps its place in the turn
// and its warm connections, and APIs of one organisation that call the same target
// in the same way call it over the same connections. Safe for concurrent use.
type Manager struct {
	d deps

	mu    sync.Mutex
	lent  map[string]*pool
	links map[link]*shared
}

// shared are connections with the number of targets that use them.
type shared struct {
	conns
	uses int
}

// NewManager makes an empty manager. The clock is shared with the servers. The
// certificates are those that definitions name; nil: there are none.
func NewManager(clock *http1.Clock, certs Certificates) *Manager {
	if certs == nil {
		certs = none{}
	}
	return &Manager{d: deps{clock, certs}, lent: map[string]*pool{}, links: map[link]*shared{}}
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
	if err := present(org, u.TLS, m.d.certs); err != nil {
		return nil, err
	}
	p, err := newPool(org, u)
	if err != nil {
		return nil, err
	}
	for i, t := range p.targets {
		if t.conns, err = m.join(t.link, u.TLS); err != nil {
			m.leave(p.targets[:i])
			return nil, err
		}
	}
	p.key, p.uses = key, 1
	m.lent[key] = p
	return p, nil
}

// join returns the connections of a link. The lock is held.
func (m *Manager) join(l link, o apidef.UpstreamTLS) (conns, error) {
	s := m.links[l]
	if s == nil {
		c, err := l.open(o, m.d)
		if err != nil {
			return nil, err
		}
		s = &shared{conns: c}
		m.links[l] = s
	}
	s.uses++
	return s.conns, nil
}

// leave gives the connections of targets back and closes those that nobody uses
// any more. The lock is held.
func (m *Manager) leave(targets []*target) {
	for _, t := range targets {
		s := m.links[t.link]
		if s.uses--; s.uses == 0 {
			delete(m.links, t.link)
			s.Close()
		}
	}
}

// Release gives a forwarder back. The last one that uses some connections closes
// the idle ones; an exchange that still holds it ends well on a connection of its
// own.
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
	m.leave(p.targets)
}

// Close makes no connection be kept any more, at the end of the process.
func (m *Manager) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.links {
		s.Close()
	}
}
