package trust

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrSealed is returned when sealed bytes cannot be opened: they were changed,
// made for another domain or with another key.
var ErrSealed = errors.New("the sealed bytes were changed, or made for another purpose or with another key")

// Seal encrypts with AES-256-GCM under the sealing key and a random nonce that
// precedes the result. The domain is additional data: Open needs the same.
func (k *Keys) Seal(domain string, plain []byte) ([]byte, error) {
	return seal(k.Sealing, domain, plain)
}

// Open decrypts what Seal made. Errors: ErrSealed.
func (k *Keys) Open(domain string, sealed []byte) ([]byte, error) {
	return open(k.Sealing, domain, sealed)
}

// SealBus is Seal under a key derived from the bus key (HKDF-SHA-256, RFC 5869).
func (k *Keys) SealBus(domain string, plain []byte) ([]byte, error) {
	key, err := k.busSealKey()
	if err != nil {
		return nil, err
	}
	return seal(key, domain, plain)
}

// OpenBus decrypts what SealBus made. Errors: ErrSealed.
func (k *Keys) OpenBus(domain string, sealed []byte) ([]byte, error) {
	key, err := k.busSealKey()
	if err != nil {
		return nil, err
	}
	return open(key, domain, sealed)
}

func (k *Keys) busSealKey() ([]byte, error) {
	key, err := hkdf.Key(sha256.New, k.Bus, nil, "sluice bus seal", KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of commands: %w", err)
	}
	return key, nil
}

func aead(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a sealing key has %d bytes instead of %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func seal(key []byte, domain string, plain []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, []byte(domain)), nil
}

func open(key []byte, domain string, sealed []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, nil, sealed, []byte(domain))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
