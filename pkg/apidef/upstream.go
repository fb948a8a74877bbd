package apidef

// Upstream is a pool of targets and how they are called.
type Upstream struct {
	// Targets are the servers, at least one, called in weighted turn.
	Targets []Target `json:"targets"`
	// Path is a prefix added to each forwarded path. Default: none.
	Path string `json:"path,omitempty"`
	// PreserveHost forwards the client's Host instead of the target's. Default: false.
	PreserveHost bool `json:"preserveHost,omitempty"`
	// HTTP is auto, 1.1, 2 or h2c: the version spoken to the targets. auto takes
	// HTTP/2 where an https target offers it in its handshake, else HTTP/1.1; 2 is
	// HTTP/2 over TLS; h2c is HTTP/2 without TLS, for http targets. Default: auto.
	HTTP HTTPVersion `json:"http,omitempty"`
	// TLS is how https targets are verified, and how the gateway shows who it is.
	TLS UpstreamTLS `json:"tls,omitzero"`
	// Timeouts bound each step of a call.
	Timeouts Timeouts `json:"timeouts,omitzero"`
	// Connections bound the connections to each target. APIs of one organisation that
	// call a target with the same http, tls, connections and timeouts (but total) share
	// its connections and this bound; one with other values has connections of its own.
	Connections Connections `json:"connections,omitzero"`
}

// Target is one server.
type Target struct {
	// URL is http:// or https://, a host with an optional port (default: 80, 443), and
	// an optional path.
	URL string `json:"url"`
	// Weight is its share of the calls among the pool's targets; 0 takes no new
	// calls; at most 1000. Default: 1.
	Weight *int `json:"weight,omitempty"`
}

// HTTPVersion is the version of HTTP that is spoken to targets.
type HTTPVersion string

// The versions.
const (
	HTTPAuto HTTPVersion = "auto" // what an https target chooses by ALPN (RFC 7301); 1.1 without TLS
	HTTP11   HTTPVersion = "1.1"
	HTTP2    HTTPVersion = "2"   // over TLS
	H2C      HTTPVersion = "h2c" // HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3)
)

// UpstreamTLS is TLS (1.2 or later) towards the https targets.
type UpstreamTLS struct {
	// CA names a certificate or CA bundle of the gateways, which alone is trusted to
	// sign the targets' certificates. Default: the system's authorities.
	CA string `json:"ca,omitempty"`
	// ClientCertificate names a certificate with key of the gateways, shown to targets
	// that ask for one. Default: none.
	ClientCertificate string `json:"clientCertificate,omitempty"`
	// ServerName is asked for and expected in the target's certificate. Default: the
	// target's host.
	ServerName string `json:"serverName,omitempty"`
	// InsecureSkipVerify takes any certificate; pins are still checked. Only for
	// tests. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// Pins are hashes of public keys, "sha256/" and the base64 of the SHA-256 of a
	// certificate's SubjectPublicKeyInfo; one certificate of the verified chain must
	// have one of them. Default: any key.
	Pins []string `json:"pins,omitempty"`
}

// Timeouts of one call. Zero total means no bound on the whole.
type Timeouts struct {
	// Connect is for establishing a connection. Default: 2s.
	Connect Duration `json:"connect,omitempty"`
	// FirstByte is from the last byte sent to the first byte of the response. Default: 30s.
	FirstByte Duration `json:"firstByte,omitempty"`
	// Idle is the longest silence within a body. Default: 60s.
	Idle Duration `json:"idle,omitempty"`
	// Total is for the whole call, body included. Default: 0s, unbounded.
	Total Duration `json:"total,omitempty"`
}

// Connections to one target.
type Connections struct {
	// Max is the most connections open at once, for all APIs that share them together.
	// Default: 512.
	Max int `json:"max,omitempty"`
	// Idle is the most connections kept while unused. Default: 128.
	Idle int `json:"idle,omitempty"`
	// IdleTimeout closes a connection unused for this long. Default: 90s.
	IdleTimeout Duration `json:"idleTimeout,omitempty"`
	// Queue is how many calls may wait for a connection when Max are in use; one
	// more is answered 503. Default: 256.
	Queue int `json:"queue,omitempty"`
}
