package message

// TrailerForbidden tells whether RFC 9110, 6.5.1 keeps the field out of trailers:
// framing, routing, authentication, request modifiers, content format.
func (f *Field) TrailerForbidden() bool {
	switch f.Known {
	case Unknown, Date, Via, XRequestID:
	default:
		return true
	}
	for _, n := range [...]string{
		"content-encoding", "content-range", "range", "max-forwards", "pragma", "if-match",
		"if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "www-authenticate", "age", "expires",
		"retry-after", "vary",
	} {
		if EqualFold(n, f.Name) {
			return true
		}
	}
	return false
}
