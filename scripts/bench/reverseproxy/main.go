// Command reverseproxy is the least that Go's standard library takes for a reverse proxy with the
// headers of the gateway: net/http and httputil.ReverseProxy, connections kept, no log. The bench
// measures the gateway beside it.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	origin := flag.String("origin", "", "host:port to forward to")
	chain := flag.String("certificate", "", "PEM file; with -key, clients speak TLS")
	key := flag.String("key", "", "PEM file of the certificate's key")
	flag.Parse()
	s := &http.Server{Addr: *listen, Handler: proxy(*origin), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	var err error
	if *chain != "" {
		err = s.ListenAndServeTLS(*chain, *key)
	} else {
		err = s.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, "reverseproxy:", err)
	os.Exit(1)
}

// idHeader carries the request's id in both directions.
const idHeader = "X-Request-Id"

func proxy(origin string) *httputil.ReverseProxy {
	target := &url.URL{Scheme: "http", Host: origin}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
			h := r.Out.Header
			client, _, _ := net.SplitHostPort(r.In.RemoteAddr)
			proto := h.Get("X-Forwarded-Proto")
			_, port, _ := net.SplitHostPort(r.In.Host)
			h.Set(idHeader, newID())
			h.Set("X-Real-Ip", client)
			h.Set("X-Forwarded-Port", port)
			h.Set("Forwarded", "for="+client+`;host="`+r.In.Host+`";proto=`+proto)
			h.Set("Via", "1.1 go")
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set(idHeader, r.Request.Header.Get(idHeader))
			return nil
		},
		Transport:  &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Hour, DisableCompression: true},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
		ErrorLog:   log.New(io.Discard, "", 0),
	}
}

// newID is a random request id.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// buffers are the pool that a busy proxy would have.
type buffers struct{ pool sync.Pool }

// Get lends a buffer.
func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put takes it back.
func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }
