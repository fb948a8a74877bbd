package chain

import (
	"github.com/sluice-gateway/sluice/gateway/filter"
)

// stripper removes request headers that only the gateway may set. Backends that
// map header names to variables (CGI and its kin) take "X_User_Id" and
// "X.User.Id" for "X-User-Id", so every such spelling goes.
type stripper struct {
	names   map[string]bool // folded
	longest int
}

func newStripper(names []string) *stripper {
	s := &stripper{names: map[string]bool{}}
	for _, n := range names {
		s.names[string(fold(nil, n))] = true
		s.longest = max(s.longest, len(n))
	}
	return s
}

// Request removes what the client sent under an owned name.
func (s *stripper) Request(x *filter.Exchange) error {
	var buf [64]byte
	var gone []string
	for f := range x.Request.Header.Fields() {
		if len(f.Name) <= s.longest && s.names[string(fold(buf[:0], f.Name))] {
			gone = append(gone, f.Name)
		}
	}
	for _, name := range gone {
		x.Request.Header.Del(name)
	}
	return nil
}

// fold lowers the case and takes each byte that is neither letter nor digit for a dash.
func fold(dst []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		default:
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}
