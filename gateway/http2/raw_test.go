package http2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a client that writes frames as it likes.
type raw struct {
	t    testing.TB
	nc   net.Conn
	fr   *h2.Framer
	enc  *hpack.Encoder
	buf  bytes.Buffer
	dead error // what ended the reading
}

// reading bounds every wait for a frame.
const reading = 30 * time.Second

// dialRaw connects and says hello with these settings.
func dialRaw(t testing.TB, addr string, settings ...h2.Setting) *raw {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	r := &raw{t: t, nc: nc, fr: h2.NewFramer(nc, nc)}
	r.enc = hpack.NewEncoder(&r.buf)
	r.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.fr.AllowIllegalWrites = true
	if _, err := io.WriteString(nc, h2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := r.fr.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return r
}

// block encodes fields; "name: value", a pseudo field as ":name: value".
func (r *raw) block(fields ...string) []byte {
	r.buf.Reset()
	for _, f := range fields {
		i := strings.Index(f[1:], ": ") + 1
		if err := r.enc.WriteField(hpack.HeaderField{Name: f[:i], Value: f[i+2:]}); err != nil {
			r.t.Fatal(err)
		}
	}
	return bytes.Clone(r.buf.Bytes())
}

// get are the fields of a plain request.
func get(more ...string) []string {
	return append([]string{":method: GET", ":scheme: http", ":authority: a.example", ":path: /"}, more...)
}

// headers writes a HEADERS frame, and CONTINUATION where it must; a connection that
// is gone is found by reading.
func (r *raw) headers(id uint32, end bool, fields ...string) {
	const most = 16 << 10
	b := r.block(fields...)
	n := min(len(b), most)
	_ = r.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: id, BlockFragment: b[:n], EndStream: end, EndHeaders: n == len(b)})
	for b = b[n:]; len(b) > 0; b = b[n:] {
		n = min(len(b), most)
		_ = r.fr.WriteContinuation(id, n == len(b), b[:n])
	}
}

// outcome reads until stream id is over and says how: "200 body", "reset CODE",
// "goaway CODE" or "closed".
func (r *raw) outcome(id uint32) string {
	status, body := "", ""
	for {
		f, err := r.next()
		if err != nil {
			return "closed"
		}
		if g, ok := f.(*h2.GoAwayFrame); ok && g.ErrCode != h2.ErrCodeNo {
			return "goaway " + g.ErrCode.String()
		}
		if f.Header().StreamID != id {
			continue
		}
		switch f := f.(type) {
		case *h2.MetaHeadersFrame:
			if s := f.PseudoValue("status"); s != "" {
				status = s
			} else {
				body += fmt.Sprint(" +", f.Fields[0].Name, "=", f.Fields[0].Value)
			}
			if f.StreamEnded() {
				return strings.TrimSpace(status + " " + body)
			}
		case *h2.DataFrame:
			body += string(f.Data())
			if f.StreamEnded() {
				return strings.TrimSpace(status + " " + body)
			}
		case *h2.RSTStreamFrame:
			if f.ErrCode == h2.ErrCodeNo {
				continue
			}
			return "reset " + f.ErrCode.String()
		}
	}
}

// next reads a frame and acknowledges SETTINGS and PING.
func (r *raw) next() (h2.Frame, error) {
	if r.dead != nil {
		return nil, r.dead
	}
	_ = r.nc.SetReadDeadline(time.Now().Add(reading))
	f, err := r.fr.ReadFrame()
	if err != nil {
		r.dead = err
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			r.t.Fatal("nothing came")
		}
		return nil, err
	}
	switch f := f.(type) {
	case *h2.SettingsFrame:
		if !f.IsAck() {
			_ = r.fr.WriteSettingsAck()
		}
	case *h2.PingFrame:
		if !f.IsAck() {
			_ = r.fr.WritePing(true, f.Data)
		}
	}
	return f, nil
}

// ended reads to the end of the connection and says how it was announced.
func (r *raw) ended() string {
	how := "closed"
	for {
		f, err := r.next()
		if err != nil {
			return how
		}
		if g, ok := f.(*h2.GoAwayFrame); ok {
			how = g.ErrCode.String()
		}
	}
}
