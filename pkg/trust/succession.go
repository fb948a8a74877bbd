package trust

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A rotated signing key is believed because its predecessor signed it. These links
// travel behind the signature of every root, so that a process needs nothing but
// the next root that it reads to follow, however long it was away.
const (
	successionDomain = "succession"
	retireDomain     = "succession retire"
	// maxLinks is how many rotations back a process is still met. One that missed
	// more joins again.
	maxLinks = 8
	// MaxSuccession is the length in bytes of the longest succession that is read.
	MaxSuccession = maxLinks << 10
)

// ErrRotating is returned by Rotate while an earlier rotation is not finished.
var ErrRotating = errors.New("two signing keys are trusted already; finish that rotation first")

// ErrNotRotating is returned by Retire when there is nothing to retire.
var ErrNotRotating = errors.New("the signing key was not rotated; there is nothing to finish")

// link is one rotation.
type link struct {
	Key []byte `json:"key"` // the new public key
	// Seed is the new signing key's, for the other dashboards: sealed under a key
	// that takes the old signing key, the bus key and the sealing key to know.
	Seed []byte `json:"seed"`
	Sig  []byte `json:"sig"` // of both, by the old key
	// Retired is the new key's signature that the old one counts no more.
	Retired []byte `json:"retired,omitempty"`
}

// signers is what a rotation changes of a set.
type signers struct {
	signing ed25519.PrivateKey
	trusted []ed25519.PublicKey // the newest first
	chain   []link
}

// now is the part of the set that follows rotations.
func (k *Keys) now() signers {
	if s := k.live.Load(); s != nil {
		return *s
	}
	return signers{signing: k.Signing, trusted: k.Trusted, chain: k.chain}
}

// with is the set with other signers.
func (k *Keys) with(s signers) *Keys {
	return &Keys{Signing: s.signing, Trusted: s.trusted, Bus: k.Bus, Sealing: k.Sealing, Pepper: k.Pepper, chain: s.chain}
}

// Rotate returns a set that signs with a new key and trusts the present one
// beside it. The receiver stays as it is. Errors: ErrRotating.
func (k *Keys) Rotate() (*Keys, error) {
	s := k.now()
	if len(s.signing) != ed25519.PrivateKeySize {
		return nil, errors.New("only a dashboard's keys can be rotated")
	}
	if len(s.trusted) > 1 {
		return nil, ErrRotating
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the signing key: %w", err)
	}
	sealKey, err := k.successionKey(s.signing)
	if err != nil {
		return nil, err
	}
	l := link{Key: pub}
	if l.Seed, err = seal(sealKey, successionDomain, priv.Seed()); err != nil {
		return nil, err
	}
	l.Sig = k.Sign(successionDomain, l.signed())
	chain := append(slices.Clone(s.chain), l)
	return k.with(signers{
		signing: priv, trusted: []ed25519.PublicKey{pub, s.signing.Public().(ed25519.PublicKey)},
		chain: chain[max(0, len(chain)-maxLinks):],
	}), nil
}

// Retire returns a set that trusts the newest key only, and says so to whoever
// follows it; a set whose rotation is finished is returned as it is. The receiver
// stays as it is. Errors: ErrNotRotating.
func (k *Keys) Retire() (*Keys, error) {
	s := k.now()
	if len(s.signing) != ed25519.PrivateKeySize {
		return nil, errors.New("only a dashboard's keys can be rotated")
	}
	if n := len(s.chain); n > 0 && len(s.trusted) == 1 && s.chain[n-1].Retired != nil {
		return k.with(s), nil
	}
	if len(s.trusted) < 2 || len(s.chain) == 0 || !s.trusted[0].Equal(s.signing.Public()) {
		return nil, ErrNotRotating
	}
	s.chain = slices.Clone(s.chain)
	last := &s.chain[len(s.chain)-1]
	last.Retired = k.Sign(retireDomain, last.signed())
	s.trusted = s.trusted[:1]
	return k.with(s), nil
}

// Rotating tells whether two signing keys are trusted.
func (k *Keys) Rotating() bool { return len(k.now().trusted) > 1 }

// SignFollowing is Sign with the succession behind it, for VerifyFollowing.
func (k *Keys) SignFollowing(domain string, msg []byte) []byte {
	sig := k.Sign(domain, msg)
	if sig == nil {
		return nil
	}
	return append(sig, k.Succession()...)
}

// VerifyFollowing is Verify for what SignFollowing made. Where the signature is
// by a key that a trusted one leads to, the set trusts it from then on, and a
// dashboard signs with it; a set that was loaded from files is saved there.
func (k *Keys) VerifyFollowing(domain string, msg, sig []byte) bool {
	if len(sig) < SignatureSize || len(sig) > SignatureSize+MaxSuccession {
		return false
	}
	sig, text := sig[:SignatureSize], sig[SignatureSize:]
	if len(text) == 0 {
		return k.Verify(domain, msg, sig)
	}
	k.following.Lock()
	defer k.following.Unlock()
	s, changed := k.follow(text)
	if !verify(s.trusted, domain, msg, sig) {
		return false
	}
	if changed {
		k.live.Store(&s)
		k.keep()
	}
	return true
}

// Succession is how the newest signing key came about, for Follow; nil without a
// rotation.
func (k *Keys) Succession() []byte {
	chain := k.now().chain
	if len(chain) == 0 {
		return nil
	}
	text, err := json.Marshal(chain)
	if err != nil { // bytes always encode
		return nil
	}
	return text
}

// Follow takes a succession from wherever it was found, as VerifyFollowing takes
// that of a signature: each link is believed for its own signature. It tells
// whether the set changed.
func (k *Keys) Follow(succession []byte) (changed bool) {
	if len(succession) > MaxSuccession {
		return false
	}
	k.following.Lock()
	defer k.following.Unlock()
	s, changed := k.follow(succession)
	if changed {
		k.live.Store(&s)
		k.keep()
	}
	return changed
}

// follow is where a succession leads from what is trusted now. Only the newest
// trusted key may name its successor: an old one cannot open another branch.
func (k *Keys) follow(text []byte) (s signers, changed bool) {
	s = k.now()
	var chain []link
	if json.Unmarshal(text, &chain) != nil || len(chain) > maxLinks {
		return s, false
	}
	for i, l := range chain {
		if len(l.Key) != ed25519.PublicKeySize || len(s.trusted) == 0 {
			return s, changed
		}
		pub := ed25519.PublicKey(l.Key)
		if !slices.ContainsFunc(s.trusted, func(t ed25519.PublicKey) bool { return t.Equal(pub) }) {
			if !verify(s.trusted[:1], successionDomain, l.signed(), l.Sig) {
				continue
			}
			s.signing = k.successor(s, l)
			s.trusted = []ed25519.PublicKey{pub, s.trusted[0]}
			s.chain, changed = chain[:i+1], true
		}
		if pub.Equal(s.trusted[0]) && len(s.trusted) > 1 && verify(s.trusted[:1], retireDomain, l.signed(), l.Retired) {
			s.trusted = s.trusted[:1]
			s.chain, changed = chain[:i+1], true
		}
	}
	return s, changed
}

// successor is the signing key of a link, where the present one opens it.
func (k *Keys) successor(s signers, l link) ed25519.PrivateKey {
	if s.signing == nil || !s.trusted[0].Equal(s.signing.Public()) {
		return s.signing
	}
	sealKey, err := k.successionKey(s.signing)
	if err != nil {
		return s.signing
	}
	seed, err := open(sealKey, successionDomain, l.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return s.signing
	}
	if priv := ed25519.NewKeyFromSeed(seed); ed25519.PublicKey(l.Key).Equal(priv.Public()) {
		return priv
	}
	return s.signing
}

// resume completes a rotation whose last file was not written before a crash.
func (k *Keys) resume() {
	n := len(k.chain)
	if n == 0 || len(k.Trusted) < 2 || !k.Trusted[1].Equal(k.Signing.Public()) || !k.Trusted[0].Equal(ed25519.PublicKey(k.chain[n-1].Key)) {
		return
	}
	k.Signing = k.successor(signers{signing: k.Signing, trusted: k.Trusted[1:]}, k.chain[n-1])
}

// keep saves what was followed. Where the folder cannot be written it is followed
// again after the next start: the root brings the succession along.
func (k *Keys) keep() {
	if k.dir == "" {
		return
	}
	next := k.with(k.now())
	load := LoadNode
	if next.Signing != nil {
		load = LoadDashboard
	}
	if there, err := load(k.dir); err == nil && there.Fingerprint() == next.Fingerprint() {
		return // another process on this folder was first
	}
	_ = next.SaveReplacing(k.dir)
}

// signed is what the old key signs of a link.
func (l link) signed() []byte { return append(slices.Clone(l.Key), l.Seed...) }

func (k *Keys) successionKey(old ed25519.PrivateKey) ([]byte, error) {
	secret := slices.Concat(old.Seed(), k.Bus, k.Sealing)
	key, err := hkdf.Key(sha256.New, secret, nil, "sluice succession", KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a succession: %w", err)
	}
	return key, nil
}
