package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1/http1test"
	"github.com/sluice-gateway/sluice/gateway/message"
)

func defaultLimits() *Limits {
	return &Limits{Line: 8 << 10, Head: 64 << 10, Fields: 100, Trailer: 8 << 10}
}

func seeds(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"\r\nPOST http://H:80/a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"POST / HTTP/1.1\r\nhost: [::1]:8\r\ntransfer-encoding: Chunked\r\nConnection: close, x\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\nExpect: 100-continue\r\nUpgrade: a/1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nX:\ta b \r\nY:\r\n\r\nGET /2 HTTP/1.1\r\nHost: h.\r\n\r\n",
		"GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\r\n X: y\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
}

// FuzzRequestHead: what we accept, net/http accepts, and reads the same; written
// anew it parses to the same; the scan for a head in pieces agrees; and nothing
// behind the head is looked at, nor is a part of it taken for the whole.
func FuzzRequestHead(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, words []byte) {
		in := http1test.Spell(words)
		lim := defaultLimits()
		b := bytes.Clone(in)
		var q message.Request
		var fr Framing
		n, bad := ParseRequest(b, &q, &fr, lim)
		if bad != nil && !slices.Contains(Codes(), bad.Code) {
			t.Fatalf("the code %s is not counted", bad.Code)
		}
		done, sbad := (&scan{}).done(in, lim)
		if bad != nil || n == 0 {
			if n == 0 && bad == nil && done {
				t.Fatalf("the scan sees a head in %q and the parser none", in)
			}
			return
		}
		if sbad != nil && sbad.Status != 431 || sbad == nil && !done {
			t.Fatalf("the parser sees a head in %q and the scan none: %v", in, sbad)
		}
		agreesWithNetHTTP(t, in[:n], &q, &fr)
		endsThere(t, in, b, n, func(b []byte) (int, *Refusal) {
			return ParseRequest(b, new(message.Request), new(Framing), lim)
		})
		again := rewrite(&q)
		var q2 message.Request
		var fr2 Framing
		if n2, bad := ParseRequest(bytes.Clone(again), &q2, &fr2, lim); bad != nil || n2 != len(again) {
			t.Fatalf("%q, written anew as %q, is refused: %v", in, again, bad)
		}
		if q2.Method != q.Method || q2.Path != q.Path || q2.Query != q.Query || q2.Host != q.Host || fr2.Length != fr.Length ||
			fr2.Chunked != fr.Chunked || !bytes.Equal(rewrite(&q2), again) {
			t.Fatalf("%q and %q differ", in, again)
		}
	})
}

// endsThere: a head of n bytes is one whatever stands behind it, which stays as it
// is; cut anywhere it is no head, and no refusal either; and it comes whole from a
// connection that yields it in pieces.
func endsThere(t *testing.T, in, parsed []byte, n int, parse func([]byte) (int, *Refusal)) {
	t.Helper()
	if !bytes.Equal(in[n:], parsed[n:]) {
		t.Fatalf("%q: what stands behind the head was changed to %q", in, parsed[n:])
	}
	for _, tail := range []string{"", "\x00", "\r\n\r\n", "GET / HTTP/1.1\r\n"} {
		if m, bad := parse(append(bytes.Clone(in[:n]), tail...)); m != n || bad != nil {
			t.Fatalf("%q has %d bytes, and %d, %v before %q", in[:n], n, m, bad, tail)
		}
	}
	for cut := range n {
		if m, bad := parse(bytes.Clone(in[:cut])); m != 0 || bad != nil {
			t.Fatalf("%q, cut at %d, is a head of %d, %v", in[:n], cut, m, bad)
		}
	}
	for _, step := range []int{1, 7} {
		d := &Reader{Conn: &pieces{b: in, step: step}, Pool: new(Buffers)}
		d.Room(SmallBuffer)
		if bad, err := d.Rest(defaultLimits()); err != nil && n <= 32<<10 || bad != nil && bad.Status != 431 {
			t.Fatalf("%q by %d: %v, %v", in[:n], step, bad, err)
		} else if bad == nil && (len(d.Buffered()) < n || len(d.Buffered()) > n+step-1) {
			t.Fatalf("%q by %d: %d bytes were read", in[:n], step, len(d.Buffered()))
		}
	}
}

func rewrite(q *message.Request) []byte {
	b := []byte(q.Method + " " + q.Target + " HTTP/1." + string(rune('0'+q.Minor)) + "\r\n")
	for fd := range q.Header.Fields() {
		b = append(b, fd.Name+": "+fd.Value+"\r\n"...)
	}
	return append(b, "\r\n"...)
}

func agreesWithNetHTTP(t *testing.T, head []byte, q *message.Request, fr *Framing) {
	if bytes.HasPrefix(head, []byte("\r\n")) {
		head = head[2:] // net/http leaves the empty line to its server
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		// What net/http refuses in a target and we leave to the router: escapes.
		if strings.Contains(err.Error(), "invalid URL escape") || strings.Contains(err.Error(), "invalid port") ||
			strings.Contains(err.Error(), "invalid userinfo") {
			return
		}
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	if r.Method != q.Method || !strings.EqualFold(r.RequestURI, q.Target) {
		t.Fatalf("%q: net/http reads %s %s, we %s %s", head, r.Method, r.RequestURI, q.Method, q.Target)
	}
	if h := strings.ToLower(r.Host); strings.Replace(h+":", ".:", ":", 1) != q.Host+":" && !strings.HasPrefix(strings.Replace(h, ".:", ":", 1), q.Host) {
		t.Fatalf("%q: net/http reads host %q, we %q", head, r.Host, q.Host)
	}
	if chunked := len(r.TransferEncoding) > 0; chunked != fr.Chunked || !chunked && r.ContentLength != max(fr.Length, 0) {
		t.Fatalf("%q: net/http reads length %d %v, we %d %v", head, r.ContentLength, r.TransferEncoding, fr.Length, fr.Chunked)
	}
	got := http.Header{}
	for fd := range q.Header.Fields() {
		got.Add(fd.Name, fd.Value)
	}
	for name, vs := range r.Header {
		if name == "Cache-Control" && r.Header.Get("Pragma") != "" {
			continue // which net/http makes of Pragma
		}
		if name != "Host" && strings.Join(vs, "\n") != strings.Join(got[name], "\n") {
			t.Fatalf("%q: net/http reads %s %q, we %q", head, name, vs, got[name])
		}
	}
}

type noPace struct{}

func (noPace) Before() error { return nil }
func (noPace) After(int)     {}

// pieces is a connection that yields bytes a few at a time.
type pieces struct {
	net.Conn
	b    []byte
	step int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.step)], p.b)
	p.b = p.b[n:]
	return n, nil
}
func (p *pieces) SetDeadline(time.Time) error { return nil }

func fieldsIn(h *message.Header) iter.Seq[*message.Field] {
	if h == nil {
		return func(func(*message.Field) bool) {}
	}
	return h.Fields()
}

func decode(in []byte, step int, zero bool) (body, rest []byte, tr *message.Header, err error) {
	d := &Reader{Conn: &pieces{b: in, step: step}, Pool: new(Buffers)}
	d.Room(SmallBuffer)
	var f Framed
	f.Start(d, BodyChunked, -1, noPace{}, defaultLimits())
	for p := make([]byte, 10); err == nil; {
		var b []byte
		if zero {
			b, err = f.Next()
		} else {
			var n int
			n, err = f.Read(p)
			b = p[:n]
		}
		body = append(body, b...)
	}
	if err == io.EOF && f.Done {
		return body, append(bytes.Clone(d.Buffered()), d.Conn.(*pieces).b...), f.Trailer, nil
	}
	return body, nil, nil, err
}

// FuzzChunked: however the bytes come and are asked for, the result is the same;
// and what we accept, net/http accepts with the same body.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nrest", "3;x=\"y\"\r\nabc\r\n1\r\nd\r\n0\r\nA: b\r\n\r\n", "ffffffffffffffffff\r\n", "1\r\na\n0\r\n\r\n",
		"00000003\r\nabc\r\n00\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
	} {
		f.Add([]byte(s), byte(3))
	}
	f.Fuzz(func(t *testing.T, words []byte, step byte) {
		in := http1test.Spell(words)
		body, rest, tr, err := decode(in, len(in)+1, false)
		for _, how := range []struct {
			step int
			zero bool
		}{{int(step) + 1, false}, {1, true}, {len(in) + 1, true}} {
			b2, r2, _, err2 := decode(in, how.step, how.zero)
			if !bytes.Equal(body, b2) && err == nil || (err == nil) != (err2 == nil) || !bytes.Equal(rest, r2) {
				t.Fatalf("%q by %d: %q %q %v and %q %q %v", in, how.step, body, rest, err, b2, r2, err2)
			}
		}
		if err != nil {
			return
		}
		req := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		br := bufio.NewReader(io.MultiReader(strings.NewReader(req), bytes.NewReader(in)))
		r, err := http.ReadRequest(br)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil && tr == nil || err == nil && !bytes.Equal(b, body) {
			t.Fatalf("%q: net/http reads %q, %v, we %q", in, b, err, body)
		}
		if left, _ := io.ReadAll(br); err == nil && !bytes.Equal(left, rest) {
			t.Fatalf("%q: net/http leaves %q, we %q", in, left, rest)
		}
		for fd := range fieldsIn(tr) {
			if err == nil && !slices.Contains(r.Trailer.Values(fd.Name), fd.Value) {
				t.Fatalf("%q: net/http reads the trailer %q, we %+v", in, r.Trailer, fd)
			}
		}
		again := fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n", len(body), body)
		if len(body) == 0 {
			again = []byte("0\r\n")
		}
		if tr != nil {
			again = AppendTrailer(again, tr)
		}
		again = append(append(again, "\r\n"...), rest...)
		b3, r3, tr3, err := decode(again, int(step)+1, true)
		if err != nil || !bytes.Equal(b3, body) || !bytes.Equal(r3, rest) || tr != nil && (tr3 == nil || tr.Len() != tr3.Len()) {
			t.Fatalf("%q, written anew as %q, is %q %q %v", in, again, b3, r3, err)
		}
	})
}

// FuzzResponseHead: what we accept of a response, net/http reads the same; written
// anew it parses to the same; and it ends where it ends.
func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.0 404\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 304 \r\nA:b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		in := http1test.Spell(words)
		var p message.Response
		var fr Framing
		b, lim := bytes.Clone(in), defaultLimits()
		n, minor, bad := ParseResponse(b, &p, &fr, lim)
		if bad != nil || n == 0 {
			return
		}
		endsThere(t, in, b, n, func(b []byte) (int, *Refusal) {
			n, _, bad := ParseResponse(b, new(message.Response), new(Framing), lim)
			return n, bad
		})
		again := fmt.Appendf(nil, "HTTP/1.%d %d %s\r\n", minor, p.Status, p.Reason)
		for fd := range p.Header.Fields() {
			again = append(again, fd.Name+": "+fd.Value+"\r\n"...)
		}
		again = append(again, "\r\n"...)
		var p2 message.Response
		var fr2 Framing
		if n2, _, bad := ParseResponse(bytes.Clone(again), &p2, &fr2, lim); len(again) <= lim.Head && (bad != nil || n2 != len(again) || p2.Status != p.Status ||
			p2.Reason != p.Reason || fr2.Length != fr.Length || fr2.Chunked != fr.Chunked || p2.Header.Len() != p.Header.Len()) {
			t.Fatalf("%q, written anew as %q: %d %v", in[:n], again, n2, bad)
		}
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in[:n])), &http.Request{Method: "GET"})
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			t.Fatalf("net/http refuses %q: %v", in[:n], err)
		}
		bodiless := p.Status < 200 || p.Status == 204 || p.Status == 304
		if r.StatusCode != p.Status || !bodiless && (r.ContentLength != fr.Length || len(r.TransferEncoding) > 0 != fr.Chunked) {
			t.Fatalf("%q: net/http reads %d %d %v, we %d %d %v", in[:n], r.StatusCode, r.ContentLength, r.TransferEncoding, p.Status, fr.Length, fr.Chunked)
		}
	})
}

// FuzzAuthority: what we take for a host and port, net/url takes for the same; it
// is in one form, and that form is taken as it is.
func FuzzAuthority(f *testing.F) {
	for _, s := range []string{"h", "H.:80", "a-b_c.example:65535", "[::1]:8", "[::ffff:1.2.3.4]", "1.2.3.4", "a@b", "a..b", ".", "a%41", "[::1%25eth0]", "h:0", "xn--9ca.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		h, ok := message.CanonicalHost(in)
		if !ok {
			return
		}
		if again, ok := message.CanonicalHost(h); !ok || again != h {
			t.Fatalf("%q is %q, and that %q, %v", in, h, again, ok)
		}
		if strings.ToLower(h) != h || strings.ContainsAny(h, "@/\\?# \t%,;") || strings.Contains(h+":", ".:") {
			t.Fatalf("%q is %q", in, h)
		}
		u, err := url.Parse("http://" + h + "/x")
		if err != nil || u.Host != h || u.User != nil || u.Path != "/x" || u.Hostname() == "" {
			t.Fatalf("%q is %q, for net/url %+v, %v", in, h, u, err)
		}
		if p := u.Port(); p != "" {
			if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
				t.Fatalf("%q has the port %q", in, p)
			}
		}
	})
}
