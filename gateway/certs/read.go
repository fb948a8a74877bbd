package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	chainEnd = ".crt"
	keyEnd   = ".key"

	maxFile = 4 << 20 // the largest bundles of all public CAs have 250 KB
)

// fingerprint tells whether a file changed.
type fingerprint map[string]stamp

type stamp struct {
	modified int64
	size     int64
	mode     fs.FileMode
}

// look takes the fingerprint of a folder. Links are followed: secrets of
// Kubernetes are links to files that change beside them.
func look(dir string) (fingerprint, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := fingerprint{}
	for _, e := range list {
		if name := e.Name(); strings.HasPrefix(name, ".") || !strings.HasSuffix(name, chainEnd) && !strings.HasSuffix(name, keyEnd) {
			continue
		}
		st, err := os.Stat(filepath.Join(dir, e.Name()))
		switch {
		case err != nil:
			f[e.Name()] = stamp{} // told when it is read
		case st.Mode().IsRegular():
			f[e.Name()] = stamp{st.ModTime().UnixNano(), st.Size(), st.Mode()}
		}
	}
	return f, nil
}

// settled tells whether every file is older than the grain of its file system's
// clock, so that another change would have another time.
func (f fingerprint) settled(now time.Time) bool {
	for _, s := range f {
		if s.modified > now.Add(-2*time.Second).UnixNano() {
			return false
		}
	}
	return true
}

// read makes the next world from the folder, and from the old one what cannot be
// used or did not change.
func (s *Store) read(old *world) (*world, error) {
	seen, err := look(s.o.Dir)
	if err != nil {
		return nil, err
	}
	w := &world{seen: seen, settled: seen.settled(time.Now()), pairs: map[string]*pair{}, bundles: map[string]*bundle{}, shared: old.shared}
	for _, file := range slices.Sorted(maps.Keys(seen)) {
		name, isChain := strings.CutSuffix(file, chainEnd)
		if !isChain {
			name = strings.TrimSuffix(file, keyEnd)
			if _, ok := seen[name+chainEnd]; ok {
				continue
			}
			w.keep(old, name, fmt.Errorf("%s has no %s beside it", file, name+chainEnd))
			continue
		}
		if _, hasKey := seen[name+keyEnd]; hasKey {
			s.readPair(w, old, name)
		} else {
			s.readBundle(w, old, name)
		}
	}
	w.index(s.o.Default)
	if d := s.o.Default; d != "" && w.fallback == nil && !slices.ContainsFunc(w.problems, func(p Problem) bool { return p.Name == d }) {
		w.problems = append(w.problems, Problem{Name: d, Err: fmt.Errorf("certificates.default names it, and there is no %s.crt with %s.key", d, d)})
	}
	return w, nil
}

// keep notes that name cannot be used, and takes it from the old world.
func (w *world) keep(old *world, name string, err error) {
	p := Problem{Name: name, Err: err}
	if was := old.pairs[name]; was != nil {
		w.pairs[name], p.Kept = was, true
	} else if was := old.bundles[name]; was != nil {
		w.bundles[name], p.Kept = was, true
	}
	w.problems = append(w.problems, p)
}

func (s *Store) readPair(w, old *world, name string) {
	chain, err := readFile(filepath.Join(s.o.Dir, name+chainEnd))
	if err != nil {
		w.keep(old, name, err)
		return
	}
	key, err := readFile(filepath.Join(s.o.Dir, name+keyEnd))
	if err != nil {
		w.keep(old, name, err)
		return
	}
	wide := w.seen[name+keyEnd].mode&0o077 != 0
	sum := sha256.Sum256(slices.Concat(chain, []byte{0}, key))
	if was := old.pairs[name]; was != nil && was.sum == sum && was.wide == wide {
		w.pairs[name] = was
		return
	}
	c, err := tls.X509KeyPair(chain, key)
	if err != nil {
		w.keep(old, name, fmt.Errorf("%s with %s: %s", name+chainEnd, name+keyEnd, strings.TrimPrefix(err.Error(), "tls: ")))
		return
	}
	if c.Leaf == nil { // GODEBUG=x509keypairleaf=0
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			w.keep(old, name, fmt.Errorf("%s: %w", name+chainEnd, err))
			return
		}
	}
	w.pairs[name] = &pair{tls: &c, wide: wide, sum: sum}
}

func (s *Store) readBundle(w, old *world, name string) {
	text, err := readFile(filepath.Join(s.o.Dir, name+chainEnd))
	if err != nil {
		w.keep(old, name, err)
		return
	}
	b, err := parseBundle(text)
	if err != nil {
		w.keep(old, name, fmt.Errorf("%s, %w", name+chainEnd, err))
		return
	}
	w.bundles[name] = b
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than 4 MiB", filepath.Base(path))
	}
	return text, err
}

// index makes the names that clients may ask for.
func (w *world) index(fallback string) {
	w.names = map[string][]*tls.Certificate{}
	add := func(c *tls.Certificate) {
		for _, dns := range c.Leaf.DNSNames {
			dns = strings.ToLower(strings.TrimSuffix(dns, "."))
			if !slices.Contains(w.names[dns], c) {
				w.names[dns] = append(w.names[dns], c)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.pairs)) {
		c := w.pairs[name].tls
		if name == fallback {
			w.fallback = c
		}
		add(c)
	}
	for _, r := range w.published() {
		if c := w.shared[r]; c.pair != nil && !w.shadowed(r) {
			add(c.pair.tls)
		}
	}
	for _, list := range w.names {
		slices.SortStableFunc(list, better)
	}
}

// better puts the cheaper key before, and of the same kind the one that lasts longer.
func better(a, b *tls.Certificate) int {
	rank := func(c *tls.Certificate) int {
		switch c.Leaf.PublicKey.(type) {
		case *ecdsa.PublicKey, ed25519.PublicKey:
			return 0
		}
		return 1
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return b.Leaf.NotAfter.Compare(a.Leaf.NotAfter)
}

// valid tells whether now is within the certificate's time.
func valid(c *tls.Certificate, now time.Time) bool {
	return !now.Before(c.Leaf.NotBefore) && now.Before(c.Leaf.NotAfter)
}
