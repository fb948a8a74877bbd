package message

// Known is an interned field name, so that the hot path compares numbers.
type Known uint8

// The names that the engine or a filter looks at for most requests.
const (
	Unknown Known = iota
	Authorization
	CacheControl
	Connection
	ContentLength
	ContentType
	Cookie
	Date
	Expect
	Forwarded
	Host
	HTTP2Settings
	KeepAlive
	Location
	Origin
	ProxyAuthenticate
	ProxyAuthorization
	ProxyConnection
	SetCookie
	TE
	Trailer
	TransferEncoding
	Upgrade
	UserAgent
	Via
	XForwardedFor
	XForwardedHost
	XForwardedPort
	XForwardedProto
	XRealIP
	XRequestID
	numKnown
)

// knownNames is written in the order of the constants, lower case.
func knownNames() [numKnown]string {
	return [numKnown]string{
		"", "authorization", "cache-control", "connection", "content-length", "content-type", "cookie", "date",
		"expect", "forwarded", "host", "http2-settings", "keep-alive", "location", "origin", "proxy-authenticate",
		"proxy-authorization", "proxy-connection", "set-cookie", "te", "trailer", "transfer-encoding",
		"upgrade", "user-agent", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port",
		"x-forwarded-proto", "x-real-ip", "x-request-id",
	}
}

// String is the name in lower case; empty for Unknown.
func (k Known) String() string {
	if k >= numKnown {
		return ""
	}
	return knownNames()[k]
}

// KnownName interns a name, whatever its case.
func KnownName(name string) Known {
	if len(name) < 2 || len(name) > 19 {
		return Unknown
	}
	lower := func(c byte) byte {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		return c
	}
	try := func(k Known, s string) Known {
		if EqualFold(name, s) {
			return k
		}
		return Unknown
	}
	switch c := lower(name[0]); len(name) {
	case 2:
		return try(TE, "te")
	case 3:
		return try(Via, "via")
	case 4:
		if c == 'h' {
			return try(Host, "host")
		}
		return try(Date, "date")
	case 6:
		switch c {
		case 'c':
			return try(Cookie, "cookie")
		case 'e':
			return try(Expect, "expect")
		}
		return try(Origin, "origin")
	case 7:
		if c == 'u' {
			return try(Upgrade, "upgrade")
		}
		return try(Trailer, "trailer")
	case 8:
		return try(Location, "location")
	case 9:
		if c == 'f' {
			return try(Forwarded, "forwarded")
		}
		return try(XRealIP, "x-real-ip")
	case 10:
		switch c {
		case 'c':
			return try(Connection, "connection")
		case 'k':
			return try(KeepAlive, "keep-alive")
		case 's':
			return try(SetCookie, "set-cookie")
		}
		return try(UserAgent, "user-agent")
	case 12:
		if c == 'c' {
			return try(ContentType, "content-type")
		}
		return try(XRequestID, "x-request-id")
	case 13:
		if c == 'a' {
			return try(Authorization, "authorization")
		}
		return try(CacheControl, "cache-control")
	case 14:
		if c == 'h' {
			return try(HTTP2Settings, "http2-settings")
		}
		return try(ContentLength, "content-length")
	case 15:
		return try(XForwardedFor, "x-forwarded-for")
	case 16:
		switch lower(name[12]) {
		case 'h':
			return try(XForwardedHost, "x-forwarded-host")
		case 'p':
			return try(XForwardedPort, "x-forwarded-port")
		}
		return try(ProxyConnection, "proxy-connection")
	case 17:
		switch lower(name[0]) {
		case 'x':
			return try(XForwardedProto, "x-forwarded-proto")
		}
		return try(TransferEncoding, "transfer-encoding")
	case 18:
		return try(ProxyAuthenticate, "proxy-authenticate")
	case 19:
		return try(ProxyAuthorization, "proxy-authorization")
	}
	return Unknown
}

// EqualFold compares two ASCII strings without case.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

// HopByHop tells whether a field belongs to one connection only and is never
// forwarded (RFC 9110, 7.6.1; HTTP2-Settings by RFC 7540, 3.2.1).
func (k Known) HopByHop() bool {
	switch k {
	case Connection, HTTP2Settings, KeepAlive, ProxyAuthenticate, ProxyAuthorization, ProxyConnection, TE, Trailer, TransferEncoding, Upgrade:
		return true
	}
	return false
}
