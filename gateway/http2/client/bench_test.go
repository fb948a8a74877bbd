package client

import (
	"io"
	"net/http"
	"testing"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// The origin's share is in the figures, as both run in one process.
func BenchmarkClient(b *testing.B) {
	body := make([]byte, 1024)
	o := newOrigin(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(body)
	})
	for name, make := range map[string]func() *message.Request{
		"get":      func() *message.Request { return request("GET", "") },
		"post":     func() *message.Request { return request("POST", "hello") },
		"streamed": func() *message.Request { r, w := streamed("POST"); _ = w.Close(); return r },
	} {
		b.Run(name, func(b *testing.B) {
			p := newClient(b, o.addr)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := make()
					r.Header.Add("User-Agent", "bench/1.0")
					r.Header.Add("Accept", "*/*")
					resp, err := p.Do(r.Context, r, message.Outbound{Target: "/things/42?page=2"})
					if err != nil {
						b.Error(err)
						return
					}
					if n, err := io.Copy(io.Discard, resp.Body); n != 1024 || err != nil {
						b.Error(n, err)
					}
					_ = resp.Body.Close()
				}
			})
		})
	}
}
