package client

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// Frame types and flags (RFC 9113, 6).
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameSettings = 0x4
	framePing     = 0x6
	frameGoAway   = 0x7
	endStream     = 0x1
	endHeaders    = 0x4
	ack           = 0x1
)

// wireConn is the target's end of one connection, frame by frame.
type wireConn struct {
	nc    net.Conn
	n     int // of the connection, from 1
	order int // of the request on it, from 1
}

func (c *wireConn) frame(kind, flags byte, stream uint32, payload ...byte) {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	_, _ = c.nc.Write(append(binary.BigEndian.AppendUint32(b, stream), payload...))
}

// ok answers with 200 (HPACK's static entry 8) and no body.
func (c *wireConn) ok(stream uint32) { c.frame(frameHeaders, endHeaders|endStream, stream, 0x88) }

func (c *wireConn) goAway(last, code uint32) {
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)...)
}

func (c *wireConn) reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

// wire is a target that does with each request what script says.
func wire(t *testing.T, script func(c *wireConn, stream uint32)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 1; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, nc)
			mu.Unlock()
			wg.Go(func() { (&wireConn{nc: nc, n: n}).serve(script) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, nc := range open {
			_ = nc.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

func (c *wireConn) serve(script func(*wireConn, uint32)) {
	defer func() { _ = c.nc.Close() }()
	if _, err := io.ReadFull(c.nc, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	c.frame(frameSettings, 0, 0)
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c.nc, head); err != nil {
			return
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c.nc, payload); err != nil {
			return
		}
		stream := binary.BigEndian.Uint32(head[5:])
		switch {
		case head[3] == frameSettings && head[4]&ack == 0:
			c.frame(frameSettings, ack, 0)
		case head[3] == framePing && head[4]&ack == 0:
			c.frame(framePing, ack, 0, payload...)
		case head[3] == frameHeaders:
			c.order++
			script(c, stream)
		}
	}
}

// What a target surely did not look at is sent again; what it may have looked at
// only where doing it twice is doing it once.
func TestOnlyWhatIsSafeIsSentAgain(t *testing.T) {
	refused := func(c *wireConn, s uint32) {
		if c.n == 1 && c.order == 2 {
			c.reset(s, 0x7)
			return
		}
		c.ok(s)
	}
	leaves := func(c *wireConn, s uint32) {
		if c.n == 1 && c.order == 2 {
			c.goAway(s-2, 0)
			return
		}
		c.ok(s)
	}
	dies := func(c *wireConn, s uint32) {
		if c.n == 1 && c.order == 2 {
			_ = c.nc.Close()
			return
		}
		c.ok(s)
	}
	fails := func(c *wireConn, s uint32) {
		if c.order == 2 {
			c.reset(s, 0x2)
			return
		}
		c.ok(s)
	}
	half := func(c *wireConn, s uint32) {
		if c.n == 1 && c.order == 2 {
			c.frame(frameHeaders, endHeaders, s, 0x88)
			c.frame(frameData, 0, s, 'a')
			_ = c.nc.Close()
			return
		}
		c.ok(s)
	}
	always := func(c *wireConn, s uint32) {
		if c.order > 1 || c.n > 1 {
			c.reset(s, 0x7)
			return
		}
		c.ok(s)
	}
	for name, tc := range map[string]struct {
		script func(*wireConn, uint32)
		method string
		body   io.Reader // nil: none
		kind   message.Kind
		again  uint64
	}{
		"refused stream, POST":            {refused, "POST", strings.NewReader("hello"), 0, 1},
		"refused stream, no body":         {refused, "POST", nil, 0, 1},
		"refused stream, body on its way": {refused, "POST", io.MultiReader(strings.NewReader("hello")), message.ErrClosed, 0},
		"refused again and again":         {always, "GET", nil, message.ErrClosed, 1},
		"GOAWAY before it, POST":          {leaves, "POST", strings.NewReader("hello"), 0, 1},
		"connection lost, GET":            {dies, "GET", nil, 0, 1},
		"connection lost, PUT":            {dies, "PUT", strings.NewReader("hello"), 0, 1},
		"connection lost, POST":           {dies, "POST", strings.NewReader("hello"), message.ErrClosed, 0},
		"stream failed, GET":              {fails, "GET", nil, message.ErrClosed, 0},
		"connection lost in a body":       {half, "GET", nil, message.ErrClosed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClient(t, wire(t, tc.script))
			read(t, do(t, p, request("GET", ""), "/first"))
			r := request(tc.method, "")
			if tc.body != nil {
				r.Body, r.ContentLength = tc.body, 5
			}
			resp, err := p.Do(r.Context, r, message.Outbound{Target: "/second"})
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if tc.kind == 0 && err != nil {
				t.Fatal(err)
			}
			if tc.kind != 0 {
				f := wantFailure(t, err, tc.kind)
				if l, ok := tc.body.(*strings.Reader); ok && (f.Consumed || l.Len() != 5) {
					t.Errorf("%+v, %d bytes of the body are left", f, l.Len())
				}
			}
			if st := p.Stats(); st.Retried != tc.again {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A connection that was new and broke is not tried again: the target may be one
// that dies of such requests.
func TestANewConnectionThatBreaksIsNotTriedAgain(t *testing.T) {
	p := newClient(t, wire(t, func(c *wireConn, _ uint32) { _ = c.nc.Close() }))
	r := request("GET", "")
	_, err := p.Do(r.Context, r, message.Outbound{Target: "/"})
	if f := wantFailure(t, err, message.ErrClosed); !f.Sent || p.Stats().Retried != 0 {
		t.Errorf("%+v, %+v", f, p.Stats())
	}
}

func TestHostileTargets(t *testing.T) {
	field := func(name, value string) []byte {
		b := append([]byte{0x00, byte(len(name))}, name...)
		return append(append(b, byte(len(value))), value...)
	}
	for name, tc := range map[string]struct {
		script func(*wireConn, uint32)
		want   message.Kind
	}{
		"no status": {func(c *wireConn, s uint32) { c.frame(frameHeaders, endHeaders|endStream, s, field("a", "b")...) }, message.ErrMalformed},
		"odd status": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders|endStream, s, field(":status", "2x0")...)
		}, message.ErrMalformed},
		"status of 1000": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders|endStream, s, field(":status", "1000")...)
		}, message.ErrMalformed},
		"status of 42": {func(c *wireConn, s uint32) { c.frame(frameHeaders, endHeaders|endStream, s, field(":status", "42")...) }, message.ErrMalformed},
		"upper case": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders|endStream, s, append([]byte{0x88}, field("Ab", "b")...)...)
		}, message.ErrMalformed},
		"line end": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders|endStream, s, append([]byte{0x88}, field("a", "b\r\nc: d")...)...)
		}, message.ErrMalformed},
		"data first":   {func(c *wireConn, s uint32) { c.frame(frameData, 0, s, 'a') }, message.ErrMalformed},
		"bad HPACK":    {func(c *wireConn, s uint32) { c.frame(frameHeaders, endHeaders, s, 0xff, 0xff, 0xff) }, message.ErrMalformed},
		"frame length": {func(c *wireConn, s uint32) { c.frame(frameSettings, 0, 0, 1, 2, 3) }, message.ErrMalformed},
		"too large": {func(c *wireConn, s uint32) {
			b := []byte{0x88}
			for range 40 {
				b = append(b, field("a", strings.Repeat("b", 120))...)
			}
			c.frame(frameHeaders, endHeaders|endStream, s, b...)
		}, message.ErrTooLarge},
		"short body": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders, s, append([]byte{0x88}, field("content-length", "5")...)...)
			c.frame(frameData, endStream, s, 'a')
		}, message.ErrClosed},
		"long body": {func(c *wireConn, s uint32) {
			c.frame(frameHeaders, endHeaders, s, append([]byte{0x88}, field("content-length", "1")...)...)
			c.frame(frameData, endStream, s, 'a', 'b')
		}, message.ErrMalformed},
		"many 1xx": {func(c *wireConn, s uint32) {
			for range 2000 {
				c.frame(frameHeaders, endHeaders, s, append(field(":status", "103"), field("a", strings.Repeat("b", 100))...)...)
			}
		}, message.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p := newClient(t, wire(t, tc.script), func(c *Config) { c.Head = 4 << 10 })
			r := request("GET", "")
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			resp, err := p.Do(ctx, r, message.Outbound{Target: "/"})
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			wantFailure(t, err, tc.want)
		})
	}
}
