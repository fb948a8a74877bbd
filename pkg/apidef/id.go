package apidef

import (
	"crypto/rand"
	"strings"
)

// MakeID makes an id from a name: its ASCII letters and digits in lower case,
// everything else one dash. A name without an ASCII letter (주문) becomes "api-"
// and six random characters. The id is valid, but need not be free: the caller
// appends "-2" and so on.
func MakeID(name string) string {
	var b strings.Builder
	letters := false
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			letters = letters || r >= 'a'
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == maxID {
			break
		}
	}
	id := strings.Trim(b.String(), "-")
	if !letters {
		return "api-" + strings.ToLower(rand.Text()[:6])
	}
	return id
}

// maxID is the most characters of an id.
const maxID = 64

// ValidID tells whether id matches [a-z0-9-]{1,64}.
func ValidID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
