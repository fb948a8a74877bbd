package access

import (
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"strings"
)

// A secret is "slc_", 32 random base62 characters (190 bits) and 6 base62
// characters of a checksum: the CRC-32 (IEEE) of the 36 characters before it, as
// a number with leading zeros. The checksum is no protection: it lets a gateway
// refuse a mistyped secret, and a scanner know a leaked one, without a lookup.
const (
	secretStart    = "slc_"
	secretRandom   = 32
	secretChecksum = 6
	secretLength   = len(secretStart) + secretRandom + secretChecksum
	prefixLength   = 8 // shown to people: 4 characters of the random part
	base62         = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewSecret makes a secret and its prefix, the start that may be shown and
// stored. The error is that of the system's random source.
func NewSecret() (secret, prefix string, err error) {
	text, err := random62(secretRandom)
	if err != nil {
		return "", "", fmt.Errorf("making a secret: %w", err)
	}
	text = secretStart + text
	return text + checksum(text), text[:prefixLength], nil
}

// NewKeyID makes a key's public id: "k_" and 20 random base62 characters.
func NewKeyID() (string, error) {
	text, err := random62(20)
	if err != nil {
		return "", fmt.Errorf("making the id of a key: %w", err)
	}
	return "k_" + text, nil
}

// random62 draws characters without bias: bytes that would favour some are drawn again.
func random62(n int) (string, error) {
	const fair = 256 - 256%len(base62)
	out := make([]byte, 0, n)
	buffer := make([]byte, 2*n)
	for {
		if _, err := rand.Read(buffer); err != nil {
			return "", err
		}
		for _, b := range buffer {
			if int(b) < fair {
				if out = append(out, base62[int(b)%len(base62)]); len(out) == n {
					return string(out), nil
				}
			}
		}
	}
}

func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	out := make([]byte, secretChecksum)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = base62[sum%uint32(len(base62))]
		sum /= uint32(len(base62))
	}
	return string(out)
}

// ValidSecret tells whether s has the form of our secrets, and if so whether its
// checksum is right. One that is ours with a wrong checksum exists nowhere.
func ValidSecret(s string) (ours, checksumOK bool) {
	if len(s) != secretLength || !strings.HasPrefix(s, secretStart) || strings.Trim(s[len(secretStart):], base62) != "" {
		return false, false
	}
	body := s[:secretLength-secretChecksum]
	return true, checksum(body) == s[len(body):]
}

// ValidCustom tells whether s may be a secret that somebody chose or brought
// along: 8 to 512 printable ASCII characters without spaces, and not of the form
// of ours with a wrong checksum, because gateways refuse those unseen.
func ValidCustom(s string) bool {
	if len(s) < 8 || len(s) > 512 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	ours, ok := ValidSecret(s)
	return !ours || ok
}

// Mask is what may be shown of a secret: of ours the prefix, of another one of
// at least 16 characters the first 4, otherwise nothing, and "…".
func Mask(s string) string {
	ours, _ := ValidSecret(s)
	switch {
	case ours:
		return s[:prefixLength] + "…"
	case len(s) >= 16 && ValidCustom(s):
		return s[:4] + "…"
	}
	return "…"
}
