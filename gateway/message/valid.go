package message

// ValidName tells whether s is a token (RFC 9110, 5.6.2), as field names and
// methods must be.
func ValidName(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !TokenByte(s[i]) {
			return false
		}
	}
	return true
}

// ValidValue tells whether s may be written as a field value: no control byte
// but HTAB, in particular no CR, LF or NUL (RFC 9110, 5.5).
func ValidValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// TokenByte tells whether c may stand in a token.
func TokenByte(c byte) bool {
	const lo = uint64(1)<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
	const hi = uint64(1)<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
	if c < 64 {
		return lo>>c&1 == 1
	}
	return c < 128 && hi>>(c-64)&1 == 1
}
