package clientip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/filter/filtertest"
	"github.com/sluice-gateway/sluice/gateway/message"
)

func trust() Trust {
	return NewTrust([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:172.16.0.0/112"), netip.MustParsePrefix("fd00::/8")})
}

func TestWhoTheClientIs(t *testing.T) {
	for _, c := range []struct {
		name, peer string
		headers    [][2]string
		client     string
		scheme     string
		host       string
		chain      string // X-Forwarded-For as sent
	}{
		{"no proxy", "192.0.2.1", nil, "192.0.2.1", "http", "api.example.com", "192.0.2.1"},
		{"spoofed by an untrusted peer", "192.0.2.1", [][2]string{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "evil"}, {"Forwarded", "for=1.1.1.1"}}, "192.0.2.1", "http", "api.example.com", "192.0.2.1"},
		{"mapped IPv4 peer", "::ffff:192.0.2.1", nil, "192.0.2.1", "http", "api.example.com", "192.0.2.1"},
		{"trusted peer without claims", "10.0.0.1", nil, "10.0.0.1", "http", "api.example.com", "10.0.0.1"},
		{"one proxy", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "HTTPS"}, {"X-Forwarded-Host", "Shop.Example.com:8443"}}, "192.0.2.7", "https", "shop.example.com:8443", "192.0.2.7, 10.0.0.1"},
		{"the right-most untrusted is the client", "10.0.0.1", [][2]string{{"X-Forwarded-For", "127.0.0.1, 192.0.2.7, 10.0.0.2"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.2, 10.0.0.1"},
		{"several lines are one list", "10.0.0.1", [][2]string{{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-For", "192.0.2.7"}, {"x-forwarded-for", "10.0.0.2"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.2, 10.0.0.1"},
		{"all trusted: the left-most", "10.0.0.1", [][2]string{{"X-Forwarded-For", "10.0.0.3, 172.16.0.9"}}, "10.0.0.3", "http", "api.example.com", "10.0.0.3, 172.16.0.9, 10.0.0.1"},
		{"with ports", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7:5123, [fd00::2]:99"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, fd00::2, 10.0.0.1"},
		{"IPv6", "fd00::1", [][2]string{{"X-Forwarded-For", "2001:db8::7"}}, "2001:db8::7", "http", "api.example.com", "2001:db8::7, fd00::1"},
		{"garbage ends the walk", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7, garbage, 10.0.0.2"}}, "10.0.0.2", "http", "api.example.com", "10.0.0.2, 10.0.0.1"},
		{"unknown ends the walk", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7, unknown"}}, "10.0.0.1", "http", "api.example.com", "10.0.0.1"},
		{"a zone ends the walk", "10.0.0.1", [][2]string{{"X-Forwarded-For", "fe80::1%eth0"}}, "10.0.0.1", "http", "api.example.com", "10.0.0.1"},
		{"empty items mean nothing", "10.0.0.1", [][2]string{{"X-Forwarded-For", " , 192.0.2.7,, "}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.1"},
		{"a bad scheme or host is not believed", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "gopher"}, {"X-Forwarded-Host", "a/b"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.1"},
		{"the nearest proxy's scheme", "10.0.0.1", [][2]string{{"X-Forwarded-For", "192.0.2.7"}, {"X-Forwarded-Proto", "https, http"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.1"},
		{"Forwarded", "10.0.0.1", [][2]string{{"Forwarded", `for=127.0.0.1, for="[2001:db8::7]:1";proto=https;host="shop.example.com", For=10.0.0.2;proto=http`}}, "2001:db8::7", "https", "shop.example.com", "2001:db8::7, 10.0.0.2, 10.0.0.1"},
		{"malformed Forwarded", "10.0.0.1", [][2]string{{"Forwarded", `for=192.0.2.7;for=192.0.2.8`}}, "10.0.0.1", "http", "api.example.com", "10.0.0.1"},
		{"Forwarded for a name", "10.0.0.1", [][2]string{{"Forwarded", `for=_hidden`}}, "10.0.0.1", "http", "api.example.com", "10.0.0.1"},
		{"the list before Forwarded", "10.0.0.1", [][2]string{{"Forwarded", "for=192.0.2.8"}, {"X-Forwarded-For", "192.0.2.7"}}, "192.0.2.7", "http", "api.example.com", "192.0.2.7, 10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := filtertest.Get("/").Peer(c.peer)
			for _, h := range c.headers {
				b.Header(h[0], h[1])
			}
			o := filtertest.Run(t, Spec(trust()), "", b).Passed(t)
			if o.Client.String() != c.client || o.ClientText != c.client || o.ClientScheme != c.scheme || o.ClientHost != c.host {
				t.Errorf("client %s (%s) %s %s", o.Client, o.ClientText, o.ClientScheme, o.ClientHost)
			}
			h := &o.Request.Header
			if got := h.Get("X-Forwarded-For"); got != c.chain || h.Count("X-Forwarded-For") != 1 {
				t.Errorf("X-Forwarded-For %q, want %q", got, c.chain)
			}
			if h.Get("X-Real-IP") != c.client || h.Get("X-Forwarded-Proto") != c.scheme || h.Get("X-Forwarded-Host") != c.host || h.Get("Via") != "1.1 sluice" {
				t.Errorf("sent\n%s", o.Sent())
			}
			if first, ok := parseElement(strings.Split(h.Get("Forwarded"), ", ")[0]); !ok || first.node.String() != c.client || first.host != c.host || first.proto != c.scheme {
				t.Errorf("Forwarded %q", h.Get("Forwarded"))
			}
		})
	}
}

func TestLongListsAreBounded(t *testing.T) {
	b := filtertest.Get("/").Peer("10.0.0.1").Header("X-Forwarded-For", strings.Repeat("10.0.0.9, ", 10000)+"10.0.0.2")
	o := filtertest.Run(t, Spec(trust()), "", b).Passed(t)
	if n := strings.Count(o.Request.Header.Get("X-Forwarded-For"), ","); n >= maxHops {
		t.Errorf("%d hops were forwarded", n+1)
	}
}

func TestClaimsOfUntrustedPeersAreDropped(t *testing.T) {
	names := []string{
		"X-Forwarded-For", "X_Forwarded_For", "x.forwarded.for", "X-Forwarded_Host", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-IP", "X_Real_IP",
		"True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "X-Original-URL", "X-Rewrite-URL", "X-Cluster-Client-IP", "Fastly-Client-IP", "Forwarded", "Client-IP",
	}
	b := filtertest.Get("/").Header("X-Kept", "1").Header("Via", "1.1 evil")
	for _, n := range names {
		b.Header(n, "127.0.0.1")
	}
	o := filtertest.Run(t, Spec(trust()), "", b).Passed(t)
	if s := o.Sent(); strings.Contains(s, "127.0.0.1") || strings.Contains(s, "evil") || !strings.Contains(s, "X-Kept: 1") {
		t.Errorf("sent\n%s", s)
	}
}

func TestTrustedPeersKeepTheirPrivateHeadersAndVia(t *testing.T) {
	b := filtertest.Get("/").Peer("10.0.0.1").Header("X-Forwarded-Prefix", "/shop").Header("X_Forwarded_For", "1.2.3.4").Header("Via", "1.1 lb").Header("Via", "1.1 cdn")
	o := filtertest.Run(t, Spec(trust()), "", b).Passed(t)
	if o.Request.Header.Get("Via") != "1.1 lb, 1.1 cdn, 1.1 sluice" || o.Request.Header.Get("X-Forwarded-Prefix") != "/shop" || strings.Contains(o.Sent(), "1.2.3.4") {
		t.Errorf("sent\n%s", o.Sent())
	}
}

func TestPortAndProtocol(t *testing.T) {
	for _, c := range []struct{ scheme, host, port string }{
		{"http", "a.example", "80"}, {"https", "a.example", "443"}, {"http", "a.example:8080", "8080"}, {"https", "[::1]", "443"}, {"http", "[::1]:81", "81"}, {"http", "", "80"},
	} {
		o := filtertest.Run(t, Spec(trust()), "", filtertest.Get("/").Scheme(c.scheme).Host(c.host)).Passed(t)
		if got := o.Request.Header.Get("X-Forwarded-Port"); got != c.port {
			t.Errorf("%s %q: port %q, want %q", c.scheme, c.host, got, c.port)
		}
	}
	o := filtertest.Run(t, Spec(trust()), "", filtertest.Get("/").With(func(x *filter.Exchange) { x.Request.Major, x.Request.Minor = 2, 0 }))
	if o.Request.Header.Get("Via") != "2.0 sluice" {
		t.Errorf("Via %q", o.Request.Header.Get("Via"))
	}
}

func TestAPeerWithoutAddressIsUnknown(t *testing.T) {
	o := filtertest.Run(t, Spec(trust()), "", filtertest.Get("/").With(func(x *filter.Exchange) { x.Request.Remote = netip.AddrPort{} })).Passed(t)
	if _, there := o.Request.Header.Lookup("X-Forwarded-For"); there || !strings.HasPrefix(o.Request.Header.Get("Forwarded"), "for=unknown") {
		t.Errorf("sent\n%s", o.Sent())
	}
}

func TestABusyClientCostsNoAllocation(t *testing.T) {
	req, _, err := Spec(trust()).Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	x := filtertest.Get("/").Header("Accept", "*/*").Header("User-Agent", "x").Exchange()
	var original message.Header
	original.CopyFrom(&x.Request.Header)
	if n := testing.AllocsPerRun(200, func() {
		x.Request.Header.CopyFrom(&original)
		if err := req.Request(x); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}

func FuzzForwarding(f *testing.F) {
	f.Add("192.0.2.7, 10.0.0.2", "for=1.1.1.1;proto=https")
	f.Add("[fd00::1]:80,unknown", `for="[2001:db8::1]";host="a:1", for=10.0.0.1`)
	f.Add(",,:", `for=;=";"`)
	spec := Spec(trust())
	f.Fuzz(func(t *testing.T, list, forwarded string) {
		if !message.ValidValue(list) || !message.ValidValue(forwarded) {
			return
		}
		for _, withList := range []bool{true, false} {
			b := filtertest.Get("/").Peer("10.0.0.1").Header("Forwarded", forwarded)
			if withList {
				b.Header("X-Forwarded-For", list)
			}
			o := filtertest.Run(t, spec, "", b).Passed(t)
			if !o.Client.IsValid() || o.Client.Zone() != "" || !validHost(o.ClientHost) {
				t.Fatalf("client %v, host %q", o.Client, o.ClientHost)
			}
			// What a client writes itself, at the left, changes nothing where it is known already.
			if !trust().Has(o.Client) {
				b := filtertest.Get("/").Peer("10.0.0.1").Header("Forwarded", "for=9.9.9.9;host=evil;proto=http, "+forwarded)
				if withList {
					b.Header("X-Forwarded-For", "9.9.9.9, "+list)
				}
				if p := filtertest.Run(t, spec, "", b).Passed(t); p.Client != o.Client {
					t.Fatalf("%q, %q: the client is %v, with something to the left %v", list, forwarded, o.Client, p.Client)
				}
			}
			// Whoever trusts us must come to the same client.
			again := filtertest.Get("/").Peer("10.0.0.1").Header("Forwarded", o.Request.Header.Get("Forwarded"))
			if p := filtertest.Run(t, spec, "", again); p.Client != o.Client && o.Client.String() != "10.0.0.1" {
				t.Fatalf("%q is read as %v, meant %v", o.Request.Header.Get("Forwarded"), p.Client, o.Client)
			}
			for name := range strings.SplitSeq(o.Sent(), "\n") {
				if !message.ValidValue(name) {
					t.Fatalf("sent %q", name)
				}
			}
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	req, _, _ := Spec(trust()).Build(nil)
	x := filtertest.Get("/").Header("Accept", "*/*").Header("User-Agent", "x").Exchange()
	var original message.Header
	original.CopyFrom(&x.Request.Header)
	b.ReportAllocs()
	for b.Loop() {
		x.Request.Header.CopyFrom(&original)
		_ = req.Request(x)
	}
}
