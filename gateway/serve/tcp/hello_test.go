package tcp

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// recorded is the first flight of the standard library's client.
func recorded(t testing.TB, c *tls.Config) []byte {
	t.Helper()
	a, b := net.Pipe()
	c.InsecureSkipVerify = true
	go func() { _ = tls.Client(a, c).Handshake(); _ = a.Close() }()
	defer func() { _ = b.Close() }()
	head := make([]byte, recordHead)
	if _, err := io.ReadFull(b, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(b, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// hello builds a ClientHello message from the raw name extensions.
func hello(version uint16, session int, suites, compressions string, extensions ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, version)
	b = append(b, make([]byte, 32)...)
	b = append(append(b, byte(session)), make([]byte, session)...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(suites))), suites...)
	b = append(append(b, byte(len(compressions))), compressions...)
	if extensions != nil {
		all := strings.Join(extensions, "")
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(all))), all...)
	}
	return append([]byte{helloType, 0, byte(len(b) >> 8), byte(len(b))}, b...)
}

// records splits a message into records of at most n bytes.
func records(message []byte, n int) (out []byte) {
	for len(message) > 0 {
		part := message[:min(n, len(message))]
		message = message[len(part):]
		out = append(binary.BigEndian.AppendUint16(append(out, recordHandshake, 3, 1), uint16(len(part))), part...)
	}
	return out
}

func ext(kind uint16, data string) string {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, kind), uint16(len(data)))) + data
}

func sni(name string) string {
	entry := "\x00" + string(binary.BigEndian.AppendUint16(nil, uint16(len(name)))) + name
	return ext(extServerName, string(binary.BigEndian.AppendUint16(nil, uint16(len(entry))))+entry)
}

func plain(name string) []byte {
	return hello(0x303, 32, "\x13\x01", "\x00", ext(43, "\x02\x03\x04"), sni(name))
}

func TestServerNamesOfHellos(t *testing.T) {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 61)
	for name, tc := range map[string]struct {
		b    []byte
		want string
	}{
		"TLS 1.3 of the library": {recorded(t, &tls.Config{ServerName: "a.example.com"}), "a.example.com"},
		"TLS 1.2 of the library": {recorded(t, &tls.Config{ServerName: "a.example.com", MaxVersion: tls.VersionTLS12}), "a.example.com"},
		"no name":                {recorded(t, &tls.Config{}), ""},
		"an address":             {recorded(t, &tls.Config{ServerName: "127.0.0.1"}), ""},
		"capitals":               {records(plain("A.Example.COM"), 1<<14), "a.example.com"},
		"the longest name":       {records(plain(long), 1<<14), long},
		"no extensions":          {records(hello(0x301, 0, "\x00\x2f", "\x00"), 1<<14), ""},
		"empty extensions":       {records(hello(0x303, 0, "\x00\x2f", "\x00", ""), 1<<14), ""},
		"split over records":     {records(plain("a.example.com"), 3), "a.example.com"},
		"records behind it":      {append(records(plain("a.example.com"), 1<<14), "\x14\x03\x03\x00\x01\x01"...), "a.example.com"},
		"a large one":            {records(hello(0x303, 32, "\x13\x01", "\x00", ext(21, strings.Repeat("\x00", 15<<10)), sni("b.test")), 1<<14), "b.test"},
	} {
		if got, whole, err := parseHello(tc.b); err != nil || !whole || got != tc.want {
			t.Errorf("%s: %q, %v, %v", name, got, whole, err)
		}
	}
	for _, b := range [][]byte{records(plain("a.example.com"), 1<<14), records(plain("a.example.com"), 7)} {
		for i := range b {
			if name, whole, err := parseHello(b[:i]); name != "" || whole || err != nil {
				t.Fatalf("the first %d bytes: %q, %v, %v", i, name, whole, err)
			}
		}
	}
}

func TestWhatIsNoHelloIsRefused(t *testing.T) {
	good := plain("a.example.com")
	with := func(at int, b byte) []byte {
		c := bytes.Clone(good)
		c[at] = b
		return records(c, 1<<14)
	}
	for name, b := range map[string][]byte{
		"HTTP":                    []byte("GET / HTTP/1.1\r\n"),
		"SSH":                     []byte("SSH-2.0-x\r\n"),
		"an alert":                []byte("\x15\x03\x01\x00\x02\x02\x70"),
		"SSL 2":                   []byte("\x80\x2e\x01\x00\x02"),
		"major version 2":         []byte("\x16\x02"),
		"minor version 5":         []byte("\x16\x03\x05"),
		"an empty record":         []byte("\x16\x03\x01\x00\x00"),
		"a record of 16 KiB + 1":  []byte("\x16\x03\x01\x40\x01"),
		"a ServerHello":           with(0, 2),
		"16 MiB":                  with(1, 0xff),
		"length one too small":    with(3, good[3]-1),
		"version 4":               with(4, 4),
		"a session id of 33":      with(38, 33),
		"no cipher suite":         records(hello(0x303, 0, "", "\x00"), 1<<14),
		"half a cipher suite":     records(hello(0x303, 0, "\x13\x01\x13", "\x00"), 1<<14),
		"no compression":          records(hello(0x303, 0, "\x13\x01", ""), 1<<14),
		"two names":               records(hello(0x303, 0, "\x13\x01", "\x00", sni("a.test"), sni("b.test")), 1<<14),
		"an empty name":           records(plain(""), 1<<14),
		"a dot at the end":        records(plain("a.example.com."), 1<<14),
		"NUL":                     records(plain("a\x00.example.com"), 1<<14),
		"a slash":                 records(plain("a/b"), 1<<14),
		"an address as name":      records(plain("127.0.0.1"), 1<<14),
		"UTF-8":                   records(plain("ä.test"), 1<<14),
		"254 bytes":               records(plain(strings.Repeat("a.", 126)+"aa"), 1<<14),
		"a label of 64":           records(plain(strings.Repeat("a", 64)+".test"), 1<<14),
		"an unknown name type":    records(hello(0x303, 0, "\x13\x01", "\x00", ext(0, "\x00\x09\x01\x00\x06a.test")), 1<<14),
		"bytes behind the name":   records(hello(0x303, 0, "\x13\x01", "\x00", ext(0, "\x00\x09\x00\x00\x06a.testx")), 1<<14),
		"a name list too long":    records(hello(0x303, 0, "\x13\x01", "\x00", ext(0, "\x00\x0a\x00\x00\x06a.test")), 1<<14),
		"an extension too long":   records(hello(0x303, 0, "\x13\x01", "\x00", "\x00\x2b\x00\x09ab"), 1<<14),
		"bytes behind extensions": records(append(plainWith(0x05), "xxxxx"...), 1<<14),
		"bytes behind the hello":  records(append(bytes.Clone(good), 0), 1<<14),
	} {
		if got, whole, err := parseHello(b); err == nil {
			t.Errorf("%s: %q, %v", name, got, whole)
		}
	}
}

// plainWith is a hello whose length says more bytes than its extensions do.
func plainWith(more byte) []byte {
	b := plain("a.example.com")
	b[3] += more
	return b
}

// FuzzHello: what is taken as whole is not whole with a byte less, and the standard
// library, where it takes the same bytes, reads the same name.
func FuzzHello(f *testing.F) {
	f.Add(recorded(f, &tls.Config{ServerName: "a.example.com"}))
	f.Add(recorded(f, &tls.Config{ServerName: "b.example.com", MaxVersion: tls.VersionTLS12}))
	f.Add(records(plain("a.test"), 1<<14))
	f.Add(records(plain("a.test"), 5))
	f.Add(records(hello(0x303, 0, "\x13\x01", "\x00", sni("a.test"), sni("b.test")), 1<<14))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, whole, err := parseHello(b)
		if err != nil || !whole {
			if name != "" || err != nil && whole {
				t.Fatalf("%q, %v, %v", name, whole, err)
			}
			return
		}
		if name != strings.ToLower(name) || len(name) > maxName {
			t.Fatalf("the name %q", name)
		}
		for cut := range len(b) {
			if n, w, err := parseHello(b[:cut]); w && n != name || err != nil {
				t.Fatalf("%q with %d bytes, %q with %d: %v", n, cut, name, len(b), err)
			}
		}
		if theirs, ok := library(b); ok && !strings.EqualFold(theirs, name) && validName(theirs) {
			t.Fatalf("the name is %q here and %q there", name, theirs)
		}
	})
}

var errSeen = errors.New("seen")

// library is the server name that crypto/tls reads.
func library(b []byte) (name string, ok bool) {
	_ = tls.Server(&replay{r: bytes.NewReader(b)}, &tls.Config{
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			name, ok = h.ServerName, true
			return nil, errSeen
		},
	}).Handshake()
	return name, ok
}

// replay is a connection that was recorded.
type replay struct {
	net.Conn
	r io.Reader
}

// Read reads the record.
func (r *replay) Read(p []byte) (int, error) { return r.r.Read(p) }

// Write takes what nobody gets.
func (r *replay) Write(p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (r *replay) Close() error { return nil }
