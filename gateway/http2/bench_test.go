package http2_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	h2 "golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/gateway/http2"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
)

// BenchmarkServer is one connection with one request after another by raw frames:
// what it allocates is mostly the server's. The row "net/http" is the same answer by
// a handler of net/http's own.
func BenchmarkServer(b *testing.B) {
	body := make([]byte, 1024)
	ours := messagetest.Func(func(w message.Writer, _ *message.Request) {
		resp := message.Response{Status: 200, ContentLength: int64(len(body))}
		resp.Header.Add("Content-Type", "application/octet-stream")
		resp.Header.Add("Etag", `"abc"`)
		_ = w.WriteHead(&resp)
		_, _ = w.Write(body)
		_ = w.Finish(nil)
	})
	b.Run("adapter", func(b *testing.B) {
		_, addr := serve(b, ours, http2.ServerConfig{H2C: true})
		requests(b, addr)
	})
	b.Run("net-http", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		p := new(http.Protocols)
		p.SetUnencryptedHTTP2(true)
		s := &http.Server{Protocols: p, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{"application/octet-stream"}
			w.Header()["Etag"] = []string{`"abc"`}
			w.Header()["Content-Length"] = []string{fmt.Sprint(len(body))}
			_, _ = w.Write(body)
		})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = s.Serve(l)
		}()
		requests(b, l.Addr().String())
		_ = s.Close()
		<-done
	})
}

func requests(b *testing.B, addr string) {
	c := dialRaw(b, addr)
	c.fr.ReadMetaHeaders = nil
	c.fr.SetReuseFrames()
	fields := get("user-agent: bench", "accept: */*", "accept-encoding: gzip", "x-request-id: 0123456789")
	c.enc.SetMaxDynamicTableSize(0) // so that one block is good for every request
	block := c.block(fields...)
	b.ReportAllocs()
	id := uint32(1)
	for b.Loop() {
		if err := c.fr.WriteHeaders(h2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true}); err != nil {
			b.Fatal(err)
		}
		for over := false; !over; {
			f, err := c.fr.ReadFrame()
			if err != nil {
				b.Fatal(err)
			}
			h := f.Header()
			if d, ok := f.(*h2.DataFrame); ok && h.StreamID == id {
				over = d.StreamEnded()
				if h.Length > 0 {
					_ = c.fr.WriteWindowUpdate(0, h.Length)
				}
			}
			if h.Type == h2.FrameSettings && h.Flags&h2.FlagSettingsAck == 0 {
				_ = c.fr.WriteSettingsAck()
			}
		}
		id += 2
	}
	_ = c.nc.Close()
}

// BenchmarkUpload reads a body of 64 KiB.
func BenchmarkUpload(b *testing.B) {
	_, addr := serve(b, messagetest.Func(func(w message.Writer, r *message.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = answer(w, "ok")
	}), http2.ServerConfig{H2C: true})
	cl := client(b, 2)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(context.WithoutCancel(b.Context()), "POST", "http://"+addr, io.LimitReader(zeros{}, 64<<10))
		if err != nil {
			b.Fatal(err)
		}
		resp, err := cl.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
