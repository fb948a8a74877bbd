package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// SealWith encrypts like Keys.Seal, under a key of the caller (32 bytes) that
// belongs to no set, such as that of a one-time hand-over.
func SealWith(key []byte, domain string, plain []byte) ([]byte, error) {
	return seal(key, domain, plain)
}

// OpenWith decrypts what SealWith made. Errors: ErrSealed.
func OpenWith(key []byte, domain string, sealed []byte) ([]byte, error) {
	return open(key, domain, sealed)
}

// transfer is a set on its way to another process. encoding/json writes bytes in
// base64.
type transfer struct {
	Seed    []byte   `json:"seed,omitempty"` // of the signing key (RFC 8032, 5.1.5)
	Trusted [][]byte `json:"trusted"`
	Chain   []link   `json:"chain,omitempty"`
	Bus     []byte   `json:"bus"`
	Sealing []byte   `json:"sealing"`
	Pepper  []byte   `json:"pepper"`
}

// Marshal is the set as bytes, in the clear: whoever sends them seals them. A set
// with a signing key carries it; Node leaves it out.
func (k *Keys) Marshal() ([]byte, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	s := k.now()
	t := transfer{Bus: k.Bus, Sealing: k.Sealing, Pepper: k.Pepper}
	if s.signing != nil {
		t.Seed, t.Chain = s.signing.Seed(), s.chain
	}
	for _, pub := range s.trusted {
		t.Trusted = append(t.Trusted, pub)
	}
	return json.Marshal(t)
}

// Unmarshal reads what Marshal made. It takes no set that could not be saved.
func Unmarshal(text []byte) (*Keys, error) {
	var t transfer
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	k := &Keys{Bus: t.Bus, Sealing: t.Sealing, Pepper: t.Pepper, chain: t.Chain}
	for _, pub := range t.Trusted {
		k.Trusted = append(k.Trusted, pub)
	}
	if t.Seed != nil {
		if len(t.Seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("the signing key has %d bytes instead of %d", len(t.Seed), ed25519.SeedSize)
		}
		k.Signing = ed25519.NewKeyFromSeed(t.Seed)
	}
	return k, k.check()
}

// check tells whether the set is whole: every secret of its length, one or two
// public keys, and the signing key's among them.
func (k *Keys) check() error {
	s := k.now()
	if len(s.trusted) == 0 || len(s.trusted) > MaxTrusted {
		return fmt.Errorf("keys have %d public keys instead of 1 or %d", len(s.trusted), MaxTrusted)
	}
	for _, pub := range s.trusted {
		if len(pub) != ed25519.PublicKeySize {
			return fmt.Errorf("a public key has %d bytes instead of %d", len(pub), ed25519.PublicKeySize)
		}
	}
	for _, f := range k.secrets() {
		if len(*f.key) != KeySize {
			return fmt.Errorf("the key for %s has %d bytes instead of %d", f.name, len(*f.key), KeySize)
		}
	}
	if s.signing == nil {
		return nil
	}
	if len(s.signing) != ed25519.PrivateKeySize {
		return fmt.Errorf("the signing key has %d bytes instead of %d", len(s.signing), ed25519.PrivateKeySize)
	}
	for _, pub := range s.trusted {
		if pub.Equal(s.signing.Public()) {
			return nil
		}
	}
	return errors.New("the signing key belongs to none of the public keys")
}

// FingerprintSize is the length in bytes of a Fingerprint.
const FingerprintSize = 8

// Fingerprint names the node's part of a set: two processes with the same one
// believe each other. It gives nothing away of the secrets, which are random.
func (k *Keys) Fingerprint() [FingerprintSize]byte {
	h := sha256.New()
	h.Write([]byte("sluice keys"))
	for _, pub := range k.now().trusted {
		h.Write(pub)
	}
	for _, f := range k.secrets() {
		h.Write(*f.key)
	}
	return [FingerprintSize]byte(h.Sum(nil)[:FingerprintSize])
}
