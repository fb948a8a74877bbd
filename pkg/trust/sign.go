package trust

import (
	"crypto/ed25519"
	"encoding/binary"
)

// SignatureSize is the length in bytes of what Sign returns: the 8-byte id of
// the signing key and an Ed25519 signature.
const SignatureSize = 8 + ed25519.SignatureSize

// Sign signs the exact bytes of msg for a domain. The result names the key that
// made it, so that "another key" can be told from "changed bytes". It returns
// nil when the set has no signing key.
func (k *Keys) Sign(domain string, msg []byte) []byte {
	signing := k.now().signing
	if len(signing) != ed25519.PrivateKeySize {
		return nil
	}
	id := keyID(signing.Public().(ed25519.PublicKey))
	return append(id[:], ed25519.Sign(signing, signed(domain, msg))...)
}

// Verify tells whether sig is a signature of msg for the domain by a trusted key.
func (k *Keys) Verify(domain string, msg, sig []byte) bool {
	return verify(k.now().trusted, domain, msg, sig)
}

func verify(trusted []ed25519.PublicKey, domain string, msg, sig []byte) bool {
	pub := signer(trusted, sig)
	return pub != nil && ed25519.Verify(pub, signed(domain, msg), sig[8:])
}

// Knows tells whether sig names a trusted key. It does not verify anything; it
// only separates a signature of a foreign key from a broken one.
func (k *Keys) Knows(sig []byte) bool { return signer(k.now().trusted, sig) != nil }

func signer(trusted []ed25519.PublicKey, sig []byte) ed25519.PublicKey {
	if len(sig) != SignatureSize {
		return nil
	}
	for _, pub := range trusted {
		if len(pub) == ed25519.PublicKeySize && keyID(pub) == [8]byte(sig[:8]) {
			return pub
		}
	}
	return nil
}

// signed is what Ed25519 runs over: the domain with its length, then the bytes.
func signed(domain string, msg []byte) []byte {
	b := make([]byte, 0, 8+len(domain)+len(msg))
	b = binary.BigEndian.AppendUint64(b, uint64(len(domain)))
	b = append(b, domain...)
	return append(b, msg...)
}
