package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Store.
type Options struct {
	// Dir is the folder. One that does not exist is empty.
	Dir string
	// Default names the pair for TLS clients that name no server, or one that no
	// certificate has. Empty: they are refused with the alert unrecognized_name
	// (RFC 6066, section 3).
	Default string
	// Log is told of what was read and what could not be. Nil: nothing is logged.
	Log *slog.Logger
	// Every is how often Run looks whether a file changed. Default 10 s.
	Every time.Duration
	// Now is the time of certificates' validity. Nil: time.Now.
	Now func() time.Time
}

// Store holds the certificates of a folder and those of the published
// configuration. Make it with Open. Safe for concurrent use.
type Store struct {
	o    Options
	mu   sync.Mutex      // one reload at a time
	next map[ref]*shared // what Settle brings into use; nil: nothing changed
	now  atomic.Pointer[world]
}

// world is what is in use. It is never changed, only replaced.
type world struct {
	seen     fingerprint
	settled  bool // of seen
	pairs    map[string]*pair
	bundles  map[string]*bundle
	shared   map[ref]*shared               // of the published configuration
	names    map[string][]*tls.Certificate // by DNS name, lower case; "*.x" for wildcards; the best first
	fallback *tls.Certificate
	problems []Problem
}

// pair is a certificate with its key.
type pair struct {
	tls  *tls.Certificate
	wide bool // its key may be read by others than its owner
	sum  [32]byte
}

// bundle is a set of CAs.
type bundle struct {
	pool *x509.CertPool
	soon time.Time // the first end of a certificate in it
}

// Problem is a file that could not be used.
type Problem struct {
	Name string // of the pair or bundle
	Err  error
	Kept bool // an earlier version of it is in use
}

// Open reads the folder. A file that cannot be used is no error, it is among
// Problems; an unreadable folder, and a default that is not there, are.
func Open(o Options) (*Store, error) {
	if o.Every <= 0 {
		o.Every = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o}
	s.now.Store(&world{})
	if err := s.Reload(); err != nil {
		return nil, err
	}
	if o.Default != "" && s.now.Load().fallback == nil {
		for _, p := range s.Problems() {
			if p.Name == o.Default {
				return nil, fmt.Errorf("certificate %s in %s: %w", p.Name, o.Dir, p.Err)
			}
		}
	}
	return s, nil
}

// Run looks at the folder now and then, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	t := time.NewTicker(s.o.Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			s.look()
		}
	}
}

// look reloads when a file changed since it was last read.
func (s *Store) look() {
	at, err := look(s.o.Dir)
	if w := s.now.Load(); err == nil && w.settled && maps.Equal(at, w.seen) {
		return
	}
	// An error is logged by Reload; the next look tries again.
	_ = s.Reload()
}

// Reload reads the folder anew. What became unusable is kept as it was, and so
// is everything when the folder cannot be read, which is the one error.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.now.Load()
	next, err := s.read(old)
	if err != nil {
		err = fmt.Errorf("certificates.dir %s cannot be read: %w", s.o.Dir, err)
		s.o.Log.Error("certificates were not read; those before stay in use", "error", err)
		return err
	}
	s.now.Store(next)
	s.tell(old, next)
	return nil
}

// tell logs what is new.
func (s *Store) tell(old, next *world) {
	for _, p := range next.problems {
		if !slices.ContainsFunc(old.problems, func(q Problem) bool { return q.Name == p.Name && q.Err.Error() == p.Err.Error() }) {
			s.o.Log.Error("certificate not usable", "name", p.Name, "error", p.Err, "before_stays", p.Kept)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.pairs)) {
		p := next.pairs[name]
		if q := old.pairs[name]; q == p {
			continue
		}
		s.o.Log.Info("certificate in use", "name", name, "names", p.tls.Leaf.DNSNames, "not_after", p.tls.Leaf.NotAfter)
		if p.wide {
			s.o.Log.Warn("a private key can be read by others than its owner; chmod 600 it", "file", name+keyEnd)
		}
	}
	for name := range old.pairs {
		if next.pairs[name] == nil {
			s.o.Log.Info("certificate no longer in use", "name", name)
		}
	}
}

// Problems are the files that cannot be used now.
func (s *Store) Problems() []Problem { return slices.Clone(s.now.Load().problems) }

// Names are the names of all usable pairs, sorted.
func (s *Store) Names() []string {
	w := s.now.Load()
	names := slices.Collect(maps.Keys(w.pairs))
	for r, c := range w.shared {
		if c.pair != nil && !w.shadowed(r) {
			names = append(names, r.label())
		}
	}
	slices.Sort(names)
	return names
}

// CA returns the bundle of CAs of that name, as it is now: a file of the folder, else
// one that the organisation published. The pool is not to be changed.
func (s *Store) CA(org, name string) (*x509.CertPool, error) {
	w := s.now.Load()
	published := w.shared[ref{org, name}]
	switch {
	case w.bundles[name] != nil:
		return w.bundles[name].pool, nil
	case w.pairs[name] != nil:
		return nil, fmt.Errorf("certificate %q has a private key, so it is no bundle of CAs; put the CAs into a .crt without a .key", name)
	case published != nil && published.bundle != nil:
		return published.bundle.pool, nil
	case published != nil:
		return nil, fmt.Errorf("certificate %q has a private key, so it is no bundle of CAs; name a certificate without a key", name)
	}
	return nil, fmt.Errorf("there is no usable bundle of CAs %q in certificates.dir: it wants %s.crt without %s.key; and none of that id is published", name, name, name)
}

// Pair returns the certificate of that name with its key, as it is now: of the folder,
// else one that the organisation published. It is not to be changed.
func (s *Store) Pair(org, name string) (*tls.Certificate, error) {
	w := s.now.Load()
	published := w.shared[ref{org, name}]
	switch {
	case w.pairs[name] != nil:
		return w.pairs[name].tls, nil
	case w.bundles[name] != nil:
		return nil, fmt.Errorf("certificate %q has no private key: %s.key is missing in certificates.dir", name, name)
	case published != nil && published.pair != nil:
		return published.pair.tls, nil
	case published != nil:
		return nil, fmt.Errorf("certificate %q has no private key; name one that has", name)
	}
	return nil, fmt.Errorf("there is no usable certificate %q in certificates.dir: it wants %s.crt with %s.key; and none of that id is published", name, name, name)
}

// Expiry is when a certificate ends.
type Expiry struct {
	Name     string
	NotAfter time.Time // of a chain or bundle: the first that ends
}

// Expiries are the ends of all pairs and bundles, sorted by name.
func (s *Store) Expiries() []Expiry {
	w := s.now.Load()
	var out []Expiry
	for name, p := range w.pairs {
		out = append(out, Expiry{name, p.tls.Leaf.NotAfter})
	}
	for name, b := range w.bundles {
		out = append(out, Expiry{name, b.soon})
	}
	for r, c := range w.shared {
		if !w.shadowed(r) {
			out = append(out, Expiry{r.label(), c.end()})
		}
	}
	slices.SortFunc(out, func(a, b Expiry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Warnings says in sentences what an operator should look at: files that cannot
// be used, pairs that have ended or end within the given time.
func (s *Store) Warnings(within time.Duration) []string {
	var out []string
	for _, p := range s.now.Load().problems {
		said := p.Name + ": " + p.Err.Error()
		if p.Kept {
			said += " (the version before stays in use)"
		}
		out = append(out, said)
	}
	w := s.now.Load()
	for _, r := range w.published() {
		if w.shadowed(r) {
			out = append(out, r.label()+": the file in certificates.dir is used in the place of the published certificate")
		}
	}
	now := s.o.Now()
	for _, e := range s.Expiries() {
		switch left := e.NotAfter.Sub(now); {
		case left <= 0:
			out = append(out, fmt.Sprintf("%s: ended on %s", e.Name, e.NotAfter.UTC().Format(time.DateOnly)))
		case left <= within:
			out = append(out, fmt.Sprintf("%s: ends on %s", e.Name, e.NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	return out
}

// errNoPEM is the error of a file without what it should hold.
var errNoPEM = errors.New("no certificate in PEM was found in it")
