package listen_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-gateway/sluice/gateway/listen"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 is a header of version 2 with the right length.
func v2(command, family byte, parts ...string) string {
	data := strings.Join(parts, "")
	return signature + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(data)))) + data
}

// tlv is an addition to it.
func tlv(kind byte, value string) string {
	return string([]byte{kind}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(value)))) + value
}

// summed sets the checksum that the header's last addition is for.
func summed(header string) string {
	b := []byte(header)
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[len(b)-4:], sum)
	return string(b)
}

const (
	v4Addresses = "\xc0\x00\x02\x07\x0a\x00\x00\x01\x04\xd2\x01\xbb"
	v6Addresses = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\xd2\x01\xbb"
)

func TestWellFormedHeaders(t *testing.T) {
	four, six := "192.0.2.7:1234 10.0.0.1:443", "[2001:db8::7]:1234 [2001:db8::1]:443"
	for name, tc := range map[string]struct{ header, want string }{
		"v1, IPv4":                 {"PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\n", four},
		"v1, IPv6":                 {"PROXY TCP6 2001:db8::7 2001:db8::1 1234 443\r\n", six},
		"v1, IPv4 in IPv6":         {"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 1234 443\r\n", four},
		"v1, the shortest":         {"PROXY TCP6 :: :: 0 0\r\n", "[::]:0 [::]:0"},
		"v1, unknown":              {"PROXY UNKNOWN\r\n", ""},
		"v1, unknown with more":    {"PROXY UNKNOWN ffff::1 what ever 1 2\r\n", ""},
		"v1, the longest":          {"PROXY UNKNOWN " + strings.Repeat("x", 91) + "\r\n", ""},
		"v2, IPv4":                 {v2(0x21, 0x11, v4Addresses), four},
		"v2, IPv6":                 {v2(0x21, 0x21, v6Addresses), six},
		"v2, with additions":       {v2(0x21, 0x11, v4Addresses, tlv(0x01, "h2"), tlv(0x04, ""), tlv(0xea, strings.Repeat("x", 5000))), four},
		"v2, with a checksum":      {summed(v2(0x21, 0x11, v4Addresses, tlv(0x02, "h"), tlv(0x03, "\x00\x00\x00\x00"))), four},
		"v2, local":                {v2(0x20, 0x00), ""},
		"v2, local with addresses": {v2(0x20, 0x11, v4Addresses), ""},
		"v2, local, odd family":    {v2(0x20, 0xff, "abc"), ""},
		"v2, unspecified":          {v2(0x21, 0x00, "whatever it is"), ""},
		"v2, a Unix socket":        {v2(0x21, 0x31, strings.Repeat("\x00", 216)), ""},
	} {
		for follows, rest := range map[string]string{"a request": "GET / HTTP/1.1\r\n\r\n", "TLS": "\x16\x03\x01", "nothing": "", "another header": "PROXY UNKNOWN\r\n"} {
			r := strings.NewReader(tc.header + rest)
			h, err := listen.ReadProxy(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if left, _ := io.ReadAll(r); string(left) != rest {
				t.Errorf("%s before %s: %q is left, want %q", name, follows, left, rest)
			}
			got := ""
			if h.Source.IsValid() {
				got = h.Source.String() + " " + h.Destination.String()
			}
			if got != tc.want {
				t.Errorf("%s: %s, want %s", name, got, tc.want)
			}
		}
	}
}

// malformedHeaders are those that close a connection, with a request behind them.
func malformedHeaders() map[string]string {
	const req = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	m := map[string]string{
		"none":                           req,
		"TLS in its place":               "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefghijklmnopq",
		"v1, lower case":                 "proxy TCP4 192.0.2.7 10.0.0.1 1234 443\r\n" + req,
		"v1, UDP":                        "PROXY UDP4 192.0.2.7 10.0.0.1 1234 443\r\n" + req,
		"v1, unknown glued":              "PROXY UNKNOWNX 1\r\n" + req,
		"v1, two spaces":                 "PROXY  TCP4 192.0.2.7 10.0.0.1 1234 443\r\n" + req,
		"v1, two spaces later":           "PROXY TCP4 192.0.2.7  10.0.0.1 1234 443\r\n" + req,
		"v1, a part too many":            "PROXY TCP4 192.0.2.7 10.0.0.1 1234 443 1\r\n" + req,
		"v1, a part missing":             "PROXY TCP4 192.0.2.7 10.0.0.1 1234\r\n" + req,
		"v1, a bare line feed":           "PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\n" + req,
		"v1, a bare line feed, even":     "PROXY TCP4 192.0.2.7 10.0.0.1 1234 44\n" + req,
		"v1, a bare carriage return":     "PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\rX\n" + req,
		"v1, a line feed at once":        "PROXY \r\nGET / HTTP/1.1\r\n\r\n" + req,
		"v1, IPv6 as IPv4":               "PROXY TCP4 ::1 ::1 1234 443\r\n" + req,
		"v1, IPv4 as IPv6":               "PROXY TCP6 192.0.2.7 10.0.0.1 1234 443\r\n" + req,
		"v1, a zone":                     "PROXY TCP6 fe80::1%eth0 ::1 1234 443\r\n" + req,
		"v1, a name":                     "PROXY TCP4 example.com 10.0.0.1 1234 443\r\n" + req,
		"v1, leading zeros in addresses": "PROXY TCP4 192.0.02.7 10.0.0.1 1234 443\r\n" + req,
		"v1, a leading zero in a port":   "PROXY TCP4 192.0.2.7 10.0.0.1 01234 443\r\n" + req,
		"v1, a port too large":           "PROXY TCP4 192.0.2.7 10.0.0.1 65536 443\r\n" + req,
		"v1, a signed port":              "PROXY TCP4 192.0.2.7 10.0.0.1 +1 443\r\n" + req,
		"v1, no end":                     "PROXY TCP4 " + strings.Repeat("1", 200),
		"v1, one byte too long":          "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n" + req,
		"v1, cut off":                    "PROXY TCP4 192.0.2.7",
		"v2, version 1":                  v2(0x11, 0x11, v4Addresses) + req,
		"v2, version 3":                  v2(0x31, 0x11, v4Addresses) + req,
		"v2, unknown command":            v2(0x22, 0x11, v4Addresses) + req,
		"v2, unknown family":             v2(0x21, 0x41, v4Addresses) + req,
		"v2, unknown transport":          v2(0x21, 0x13, v4Addresses) + req,
		"v2, a datagram":                 v2(0x21, 0x12, v4Addresses) + req,
		"v2, no transport":               v2(0x21, 0x10, v4Addresses) + req,
		"v2, addresses too short":        v2(0x21, 0x11, v4Addresses[:11]) + req,
		"v2, IPv6 with IPv4's length":    v2(0x21, 0x21, v4Addresses) + req,
		"v2, a Unix socket too short":    v2(0x21, 0x31, strings.Repeat("\x00", 215)) + req,
		"v2, an addition cut off":        v2(0x21, 0x11, v4Addresses, "\x01\x00") + req,
		"v2, an addition too long":       v2(0x21, 0x11, v4Addresses, "\x01\x00\x03ab") + req,
		"v2, a wrong checksum":           v2(0x21, 0x11, v4Addresses, tlv(0x03, "\x01\x02\x03\x04")) + req,
		"v2, half a checksum":            v2(0x21, 0x11, v4Addresses, tlv(0x03, "\x01\x02")) + req,
		"v2, longer than all measure":    v2(0x21, 0x00, strings.Repeat("x", 16<<10+1)) + req,
		"v2, signature only":             signature,
		"v2, cut off":                    v2(0x21, 0x11, v4Addresses)[:20],
		"v2, almost the signature":       strings.Replace(v2(0x21, 0x11, v4Addresses), "QUIT", "QUIP", 1) + req,
		"nothing":                        "",
	}
	return m
}

func TestMalformedHeaders(t *testing.T) {
	for name, header := range malformedHeaders() {
		if h, err := listen.ReadProxy(strings.NewReader(header)); !errors.Is(err, listen.ErrProxy) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	broken := errors.New("broken")
	if _, err := listen.ReadProxy(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, listen.ErrProxy) {
		t.Errorf("a connection that breaks: %v", err)
	}
}

// FuzzProxyHeader: whatever comes, a header is read to its end and not further,
// says the same however its bytes arrive, and is needed to its last byte.
func FuzzProxyHeader(f *testing.F) {
	for _, h := range malformedHeaders() {
		f.Add([]byte(h))
	}
	for _, h := range []string{
		"PROXY TCP4 192.0.2.7 10.0.0.1 1234 443\r\nGET /", "PROXY UNKNOWN\r\n", v2(0x21, 0x11, v4Addresses, tlv(1, "h2")) + "x", v2(0x20, 0),
		summed(v2(0x21, 0x21, v6Addresses, tlv(3, "\x00\x00\x00\x00"))), v2(0x21, 0x31, strings.Repeat("a", 216)),
	} {
		f.Add([]byte(h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := listen.ReadProxy(r)
		used := len(b) - r.Len()
		slow, slowErr := listen.ReadProxy(iotest.OneByteReader(bytes.NewReader(b)))
		if slow != h || (slowErr == nil) != (err == nil) {
			t.Fatalf("byte by byte it is %+v, %v; at once %+v, %v", slow, slowErr, h, err)
		}
		if err != nil {
			if !errors.Is(err, listen.ErrProxy) || h != (listen.Header{}) {
				t.Fatalf("%+v, %v", h, err)
			}
			return
		}
		if again, err := listen.ReadProxy(bytes.NewReader(b[:used])); err != nil || again != h {
			t.Fatalf("alone the header is %+v, %v, not %+v", again, err, h)
		}
		if _, err := listen.ReadProxy(bytes.NewReader(b[:used-1])); err == nil {
			t.Fatal("a header without its last byte is taken")
		}
		if bytes.HasPrefix(b, []byte("PROXY ")) && (used > 107 || !bytes.HasSuffix(b[:used], []byte("\r\n")) || bytes.Count(b[:used], []byte("\n")) != 1) {
			t.Fatalf("version 1 took %q", b[:used])
		}
		if h.Source.IsValid() != h.Destination.IsValid() || h.Source.Addr().Is4In6() || h.Source.Addr() == (netip.Addr{}) && h.Source.Port() != 0 {
			t.Fatalf("%+v", h)
		}
	})
}
