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

// HashKey is the hex HMAC-SHA-256 of a caller's key under the pepper: what is
// stored and looked up instead of the key. Gateways call it for each request
// with a key, hence the reuse: one allocation, the result.
func (k *Keys) HashKey(secret string) string {
	p, ok := k.hashers.Get().(*hasher)
	if !ok {
		p = &hasher{mac: hmac.New(sha256.New, k.Pepper)}
	}
	p.mac.Reset()
	p.in = append(p.in[:0], secret...)
	p.mac.Write(p.in)
	clear(p.in)
	sum := p.mac.Sum(p.out[:0])
	hex.Encode(p.text[:], sum)
	s := string(p.text[:])
	k.hashers.Put(p)
	return s
}

// hasher is what HashKey reuses.
type hasher struct {
	mac  hash.Hash
	in   []byte
	out  [sha256.Size]byte
	text [2 * sha256.Size]byte
}
