// Package trust says who is believed. It holds the keys of an installation and
// the four things done with them: sign (Ed25519, RFC 8032), authenticate
// (HMAC-SHA-256, RFC 2104), seal (AES-256-GCM, NIST SP 800-38D) and hash the
// keys of callers. The wires and the last-known-good state use it; nothing that
// lies in Redis is believed without it.
//
// Every operation takes a domain, a short constant such as "root", so that
// bytes made for one purpose are never accepted for another.
package trust

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
)

// KeySize is the length in bytes of the bus key, the sealing key and the pepper.
const KeySize = 32

// MaxTrusted is how many public keys are accepted at once: the current one and,
// during a rotation, one more.
const MaxTrusted = 2

// Keys are the secrets of an installation, as one process has them. The fields are
// read-only after loading; what VerifyFollowing learns of newer signing keys counts
// in all methods beside them. Safe for concurrent use.
type Keys struct {
	// Signing makes signatures. Dashboards have it; nodes do not (nil).
	Signing ed25519.PrivateKey
	// Trusted are the public keys whose signatures count: one, or two during a
	// rotation.
	Trusted []ed25519.PublicKey
	// Bus authenticates messages, key entries and beats; the key that seals
	// commands and replies is derived from it. 32 bytes.
	Bus []byte
	// Sealing encrypts secrets inside items and the last-known-good state. 32 bytes.
	Sealing []byte
	// Pepper is the key of the hashes of callers' keys; it is never rotated. 32 bytes.
	Pepper []byte

	chain     []link                  // how Trusted came about; see succession.go
	dir       string                  // where the set was loaded from; "" is nowhere
	live      atomic.Pointer[signers] // what was followed since then; nil: nothing
	following sync.Mutex
	hashers   sync.Pool // of *hasher, keyed by Pepper
}

// Generate makes a new dashboard set from the system's random source.
func Generate() (*Keys, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the signing key: %w", err)
	}
	k := &Keys{Signing: priv, Trusted: []ed25519.PublicKey{pub}}
	for _, dst := range []*[]byte{&k.Bus, &k.Sealing, &k.Pepper} {
		*dst = make([]byte, KeySize)
		if _, err := rand.Read(*dst); err != nil {
			return nil, fmt.Errorf("generate keys: %w", err)
		}
	}
	return k, nil
}

// Node returns the set that a node gets: everything but the signing key.
func (k *Keys) Node() *Keys {
	return &Keys{Trusted: k.now().trusted, Bus: k.Bus, Sealing: k.Sealing, Pepper: k.Pepper}
}

// keyID names a public key: the first 8 bytes of its SHA-256.
func keyID(pub ed25519.PublicKey) [8]byte {
	sum := sha256.Sum256(pub)
	return [8]byte(sum[:8])
}
