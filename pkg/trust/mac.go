package trust

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// MACSize is the length in bytes of a MAC.
const MACSize = sha256.Size

// MAC is the HMAC-SHA-256 of the parts under the bus key. The domain and every
// part are preceded by their length, so ("ab","c") and ("a","bc") differ.
func (k *Keys) MAC(domain string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, k.Bus)
	var n [8]byte
	write := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	write([]byte(domain))
	for _, p := range parts {
		write(p)
	}
	return h.Sum(nil)
}

// CheckMAC tells, in constant time, whether mac belongs to the parts.
func (k *Keys) CheckMAC(domain string, mac []byte, parts ...[]byte) bool {
	return hmac.Equal(mac, k.MAC(domain, parts...))
}

// KeyHash is the hex HMAC-SHA-256 of a caller's key under the pepper: 64 digits.
type KeyHash = [2 * sha256.Size]byte

// HashKey is SumKey as a string: what is stored and looked up instead of the key.
func (k *Keys) HashKey(secret string) string {
	sum := k.SumKey(secret)
	return string(sum[:])
}

// SumKey is the hash of a caller's key. Gateways call it for each request with a
// key, hence the reuse: it allocates nothing.
func (k *Keys) SumKey(secret string) KeyHash {
	p, ok := k.hashers.Get().(*hasher)
	if !ok {
		p = &hasher{mac: hmac.New(sha256.New, k.Pepper)}
	}
	p.mac.Reset()
	p.in = append(p.in[:0], secret...)
	p.mac.Write(p.in)
	clear(p.in)
	sum := p.mac.Sum(p.out[:0])
	var text KeyHash
	hex.Encode(text[:], sum)
	k.hashers.Put(p)
	return text
}

// hasher is what SumKey reuses.
type hasher struct {
	mac hash.Hash
	in  []byte
	out [sha256.Size]byte
}
