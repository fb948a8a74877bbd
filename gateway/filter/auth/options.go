package auth

// The options of the methods stand here and not beside them, so that they are
// one type with one schema; what they mean is in the method's package.

// KeyConfig are the options of the method key.
type KeyConfig struct {
	// In lists where a caller may put the key. All of them are read: the same key
	// may stand in several places, two different ones are refused with 400.
	// Default: the header Authorization.
	In []KeySource `json:"in,omitempty" schema:"maxItems=8"`
}

// KeySource is one place; exactly one of header, query and cookie is set.
type KeySource struct {
	// Header is the name of a header field.
	Header string `json:"header,omitempty" schema:"maxLength=64"`
	// Scheme stands before the key in the header, such as "ApiKey". Default: for
	// Authorization "Bearer" or nothing, for other headers nothing.
	Scheme string `json:"scheme,omitempty" schema:"maxLength=32"`
	// Query is the name of a query parameter.
	Query string `json:"query,omitempty" schema:"maxLength=64"`
	// Cookie is the name of a cookie.
	Cookie string `json:"cookie,omitempty" schema:"maxLength=64"`
}
