package certs

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ref names a certificate of the published configuration.
type ref struct{ org, id string }

// label is how people know it.
func (r ref) label() string {
	if r.org == "default" {
		return r.id
	}
	return r.org + "/" + r.id
}

// shared is a certificate of the published configuration: a pair or a bundle.
type shared struct {
	pair   *pair
	bundle *bundle
}

// Take reads a certificate of the published configuration: a chain in PEM with its
// key, or without one a bundle of CAs. It is in use once Settle was called; a file of
// the same name in the folder wins over it. With an error what was there before
// stays. The error says nothing of the key.
func (s *Store) Take(org, id string, chain, key []byte) error {
	var made shared
	if len(key) > 0 {
		c, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return fmt.Errorf("the chain with its key: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
		if c.Leaf == nil { // GODEBUG=x509keypairleaf=0
			if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
				return err
			}
		}
		made.pair = &pair{tls: &c}
	} else {
		b, err := parseBundle(chain)
		if err != nil {
			return err
		}
		made.bundle = b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending()[ref{org, id}] = &made
	return nil
}

// Drop lets a certificate of the published configuration go, once Settle was called.
func (s *Store) Drop(org, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending(), ref{org, id})
}

// pending is what Settle brings into use. The lock is held.
func (s *Store) pending() map[ref]*shared {
	if s.next == nil {
		s.next = maps.Clone(s.now.Load().shared)
		if s.next == nil {
			s.next = map[ref]*shared{}
		}
	}
	return s.next
}

// Settle brings into use what was taken and dropped since it was last called.
func (s *Store) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		return
	}
	old := s.now.Load()
	next := *old
	next.shared, s.next = s.next, nil
	next.index(s.o.Default)
	s.now.Store(&next)
	s.tellShared(old, &next)
}

// tellShared logs what is new of the published configuration.
func (s *Store) tellShared(old, next *world) {
	for r, c := range next.shared {
		if old.shared[r] == c {
			continue
		}
		if next.shadowed(r) {
			s.o.Log.Warn("a file wins over the published certificate of its name", "name", r.label())
		} else if c.pair != nil {
			s.o.Log.Info("certificate in use", "name", r.label(), "names", c.pair.tls.Leaf.DNSNames, "not_after", c.pair.tls.Leaf.NotAfter, "published", true)
		}
	}
	for r, c := range old.shared {
		if next.shared[r] == nil && c.pair != nil {
			s.o.Log.Info("certificate no longer in use", "name", r.label(), "published", true)
		}
	}
}

// published are the names of the certificates of the published configuration, in
// order.
func (w *world) published() []ref {
	return slices.SortedFunc(maps.Keys(w.shared), func(a, b ref) int { return cmp.Or(cmp.Compare(a.org, b.org), cmp.Compare(a.id, b.id)) })
}

// shadowed tells whether a file of the folder stands in the place of a published
// certificate.
func (w *world) shadowed(r ref) bool { return w.pairs[r.id] != nil || w.bundles[r.id] != nil }

// parseBundle reads CAs in PEM.
func parseBundle(text []byte) (*bundle, error) {
	b := &bundle{pool: x509.NewCertPool()}
	for n := 1; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		b.pool.AddCert(c)
		if b.soon.IsZero() || c.NotAfter.Before(b.soon) {
			b.soon = c.NotAfter
		}
	}
	if b.soon.IsZero() {
		return nil, errNoPEM
	}
	return b, nil
}

// end is when a published certificate ends, or the first of a bundle.
func (c *shared) end() time.Time {
	if c.pair != nil {
		return c.pair.tls.Leaf.NotAfter
	}
	return c.bundle.soon
}
