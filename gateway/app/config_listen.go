package app

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/pkg/config"
)

// Listen is the main listener for clients, and the limits of all listeners.
type Listen struct {
	// Address is host:port. Default: ":8080", every address of the host. A socket that
	// systemd passes under the name "data" is used in its place.
	Address string `config:"address"`
	// TLS says whether clients must use TLS (1.2 or 1.3), with the certificates of
	// certificates.dir, and HTTP/2 or HTTP/1.1 as they choose. Default: false.
	TLS bool `config:"tls"`
	// H2C says whether clients may speak HTTP/2 without TLS, beside HTTP/1.1. They must
	// know it beforehand: an upgrade is not offered (RFC 9113, 3.3). Default: false.
	H2C bool `config:"h2c"`
	// ProxyProtocol says that each connection begins with a PROXY header of version 1 or
	// 2, which names the client. It is taken from trusted_proxies only; connections of
	// everybody else, and without a well-formed header, are closed. Default: false.
	ProxyProtocol bool `config:"proxy_protocol"`
	// Engine is what speaks HTTP/1.1 with clients: own, which is strict and fast, or
	// stdlib, that of the Go standard library, if a fault in the own one is found.
	// Default: own.
	Engine string `config:"engine"`
	// RequestLine is the longest request line; longer is 414. Default: 8KiB.
	RequestLine config.Size `config:"request_line"`
	// Head is the largest request head; larger is 431. Default: 64KiB.
	Head config.Size `config:"head"`
	// Fields is the largest number of header fields; more is 431. Default: 100.
	Fields int `config:"fields"`
	// HeaderTimeout is how long a request head may take to arrive, and before it the
	// TLS handshake and the PROXY header, each. Default: 10s.
	HeaderTimeout time.Duration `config:"header_timeout"`
	// IdleTimeout closes a connection without a request. Default: 75s.
	IdleTimeout time.Duration `config:"idle_timeout"`
	// WriteTimeout is how long a client may take to accept what is written at once.
	// Default: 30s.
	WriteTimeout time.Duration `config:"write_timeout"`
	// BodyRate is the least rate, per second, at which a request body must arrive.
	// Default: 256B.
	BodyRate config.Size `config:"body_rate"`
	// MaxConnections is the most client connections at once, for each listener; 0 is no
	// bound. Default: 0.
	MaxConnections int `config:"max_connections"`
	// MaxConnectionsPerClient is the same for one client address; with proxy_protocol the
	// address that the header names. Default: 0.
	MaxConnectionsPerClient int `config:"max_connections_per_client"`
	// MaxRequestsPerConnection closes an HTTP/1.1 connection after so many; 0 is no bound.
	// Default: 0.
	MaxRequestsPerConnection int `config:"max_requests_per_connection"`
	// Streams is the most requests at once on one HTTP/2 connection. Default: 100.
	Streams int `config:"streams"`
	// HTTPSPort is the port that listen.redirectHttp of a definition sends clients to: that
	// of a listener with TLS, as clients see it. Default: 443.
	HTTPSPort int `config:"https_port"`
}

// Listener is one more address where clients call.
type Listener struct {
	// Name is what logs, metrics and systemd's sockets call it; lower-case letters,
	// digits and dashes. It is needed.
	Name string `config:"name"`
	// Address is host:port. It is needed.
	Address string `config:"address"`
	// TLS is as listen.tls.
	TLS bool `config:"tls"`
	// H2C is as listen.h2c.
	H2C bool `config:"h2c"`
	// ProxyProtocol is as listen.proxy_protocol.
	ProxyProtocol bool `config:"proxy_protocol"`
	// Engine is as listen.engine.
	Engine string `config:"engine"`
	// TCP makes the listener pass connections on as they are, instead of speaking HTTP.
	TCP TCP `config:"tcp"`
}

// TCP says where the connections of a listener go that speaks no HTTP.
type TCP struct {
	// Targets are where connections go that no entry of sni takes.
	Targets []TCPTarget `config:"targets"`
	// SNI sends TLS connections by the server name that the client asks for; they are
	// not decrypted.
	SNI []TCPServer `config:"sni"`
	// Allow are the networks (CIDR) that may connect. Default: all.
	Allow []string `config:"allow"`
	// Deny are networks (CIDR) that may not, also where allow has them.
	Deny []string `config:"deny"`
	// IdleTimeout closes a connection over which no byte went either way. Default: 1h.
	IdleTimeout time.Duration `config:"idle_timeout"`
	// ConnectTimeout bounds each attempt to reach a target. Default: 5s.
	ConnectTimeout time.Duration `config:"connect_timeout"`
	// MaxConnections is as listen.max_connections, for this listener. Default: that one.
	MaxConnections int `config:"max_connections"`
	// MaxConnectionsPerClient is as listen.max_connections_per_client. Default: that one.
	MaxConnectionsPerClient int `config:"max_connections_per_client"`
}

// TCPServer is where connections for some server names go.
type TCPServer struct {
	// Names are host names, or *.example.com for every name below it; an exact name
	// wins, then the longest.
	Names []string `config:"names"`
	// Targets are where these connections go.
	Targets []TCPTarget `config:"targets"`
}

// TCPTarget is one address behind a TCP listener.
type TCPTarget struct {
	// Address is host:port.
	Address string `config:"address"`
	// Weight is its share of new connections beside the others. Default: 1. Below 0 it
	// takes none.
	Weight int `config:"weight"`
}

// Certificates is a folder of certificates. Those that are published stand beside it;
// a file wins over a published one of its name.
type Certificates struct {
	// Dir holds <name>.crt, a chain in PEM with the certificate itself first, and
	// <name>.key, its private key. A .crt without a .key is a bundle of CAs. It is read
	// at the start, on SIGHUP and within 10s after a file changed; what cannot be used
	// is told, and the version before stays. Default: certs in the data folder.
	Dir string `config:"dir"`
	// Default is the name of the certificate for clients that name no server, or one
	// that no certificate has. Empty: their handshakes are refused.
	Default string `config:"default"`
}

// Tunnel bounds WebSocket connections and other upgrades.
type Tunnel struct {
	// IdleTimeout closes a tunnel over which no byte went either way; 0 is no bound.
	// Default: 1h.
	IdleTimeout time.Duration `config:"idle_timeout"`
	// MaxAge closes a tunnel however busy it is; 0 is no bound. Default: 24h.
	MaxAge time.Duration `config:"max_age"`
}

const (
	engineOwn    = "own"
	engineStdlib = "stdlib"

	// mainListener is the name of listen among the listeners.
	mainListener = "data"
)

// on tells whether the listener passes TCP on.
func (t TCP) on() bool { return len(t.Targets)+len(t.SNI) > 0 }

// Validate checks the section.
func (l Listen) Validate() error {
	if l.Streams < 1 {
		return config.Invalid("streams", fmt.Sprintf("is %d", l.Streams), "allow one request at once at least, such as 100")
	}
	if l.HTTPSPort < 1 || l.HTTPSPort > 65535 {
		return config.Invalid("https_port", fmt.Sprintf("is %d", l.HTTPSPort), "name a port from 1 to 65535, such as 443")
	}
	return checkListener(l.asListener())
}

// asListener is the listener without the limits.
func (l Listen) asListener() Listener {
	return Listener{Name: mainListener, Address: l.Address, TLS: l.TLS, H2C: l.H2C, ProxyProtocol: l.ProxyProtocol, Engine: l.Engine}
}

// Validate checks one of listeners.
func (l Listener) Validate() error {
	switch {
	case l.Name == "":
		return config.Invalid("name", "is empty", "give each listener a name, such as internal")
	case strings.Trim(l.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return config.Invalid("name", fmt.Sprintf("is %q", l.Name), "use lower-case letters, digits and dashes")
	case l.Address == "":
		return config.Invalid("address", "is empty", "write host:port, such as :8443")
	}
	return checkListener(l)
}

func checkListener(l Listener) error {
	if _, _, err := net.SplitHostPort(l.Address); err != nil {
		return config.Invalid("address", fmt.Sprintf("%q is no host:port", l.Address), "write it as :8080 or 192.0.2.1:8080")
	}
	switch {
	case l.Engine != "" && l.Engine != engineOwn && l.Engine != engineStdlib:
		return config.Invalid("engine", fmt.Sprintf("is %q", l.Engine), "write own or stdlib")
	case l.TLS && l.H2C:
		return config.Invalid("h2c", "is for connections without TLS, and tls is on", "leave it out: HTTP/2 over TLS needs no switch")
	case l.TCP.on() && (l.TLS || l.H2C):
		return config.Invalid("tcp", "passes connections on as they are, so tls and h2c mean nothing beside it", "leave them out")
	}
	return nil
}

// Validate checks the section.
func (t TCP) Validate() error {
	for key, list := range map[string][]string{"allow": t.Allow, "deny": t.Deny} {
		for _, p := range list {
			if _, err := netip.ParsePrefix(p); err != nil {
				return config.Invalid(key, p+" is not a network", "write it as 10.0.0.0/8 or 192.0.2.7/32")
			}
		}
	}
	if !t.on() && (len(t.Allow)+len(t.Deny) > 0 || t.IdleTimeout != 0 || t.ConnectTimeout != 0) {
		return config.Invalid("targets", "is empty", "name where the connections go, or leave tcp out")
	}
	return nil
}

// Validate checks the section.
func (t Tunnel) Validate() error {
	for key, d := range map[string]time.Duration{"idle_timeout": t.IdleTimeout, "max_age": t.MaxAge} {
		if d < 0 {
			return config.Invalid(key, "is "+d.String(), "write 0 for no bound, or a time such as 1h")
		}
	}
	return nil
}

// Validate checks one entry of sni.
func (s TCPServer) Validate() error {
	switch {
	case len(s.Names) == 0:
		return config.Invalid("names", "is empty", "name the servers, such as a.example.com or *.example.com")
	case len(s.Targets) == 0:
		return config.Invalid("targets", "is empty", "name where the connections go")
	}
	return nil
}

// Validate checks one target.
func (t TCPTarget) Validate() error {
	if host, _, err := net.SplitHostPort(t.Address); err != nil || host == "" {
		return config.Invalid("address", fmt.Sprintf("%q is no host:port", t.Address), "write it as db.example.com:5432")
	}
	return nil
}

// validateListeners checks what one listener alone cannot know.
func (c Config) validateListeners() error {
	names := map[string]bool{mainListener: true, "admin": true}
	proxied := c.Listen.ProxyProtocol
	for i, l := range c.Listeners {
		if names[l.Name] {
			return config.Invalid(fmt.Sprintf("listeners[%d].name", i), l.Name+" is the name of another listener", "choose another")
		}
		names[l.Name] = true
		proxied = proxied || l.ProxyProtocol
	}
	if proxied && len(c.TrustedProxies) == 0 {
		return config.Invalid("trusted_proxies", "is empty, and a listener with proxy_protocol takes connections from these networks only",
			"name the networks of the load balancers")
	}
	return nil
}

// listeners are all of them, the main one first.
func (c Config) listeners() []Listener {
	return append([]Listener{c.Listen.asListener()}, c.Listeners...)
}

func (c Config) certsDir() string { return cmp.Or(c.Certificates.Dir, filepath.Join(c.Data, "certs")) }
