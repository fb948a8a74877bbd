// Package requestid gives every request an id, tells it to the backend and to
// the caller, and stands in logs and records.
package requestid

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/gateway/filter"
	"github.com/sluice-gateway/sluice/gateway/message"
)

// Header is the field that carries the id in both directions.
const Header = "X-Request-Id"

// Config has no options.
type Config struct{}

// Maker returns a function that makes ids: 20 letters and digits each, unique
// among all makers. It is safe for concurrent use.
func Maker() func() string { return newSource().next }

// Spec makes the filter. newID makes the ids, as a Maker does; trusted tells whose
// incoming ids are kept.
func Spec(newID func() string, trusted func(netip.Addr) bool) filter.Spec {
	return filter.Define("requestId", func(Config) (any, error) {
		return &requestID{newID: newID, trusted: trusted}, nil
	}).In(filter.Receive).NoOptions().
		About("Gives each request an id that backend, caller and records share",
			"요청마다 식별자를 부여해 백엔드, 호출자, 기록이 같은 값을 쓰게 합니다")
}

type requestID struct {
	newID   func() string
	trusted func(netip.Addr) bool
}

// Request keeps the id of a trusted peer or makes one.
func (f *requestID) Request(x *filter.Exchange) error {
	h := &x.Request.Header
	if id, ok := h.Known(message.XRequestID); ok {
		if valid(id) && f.trusted != nil && f.trusted(x.Request.Remote.Addr()) && h.Count(Header) == 1 {
			x.ID = id
			return nil
		}
	}
	x.ID = f.newID()
	h.Set(Header, x.ID)
	return nil
}

// Response echoes the id.
func (f *requestID) Response(x *filter.Exchange) error {
	x.Response.Header.Set(Header, x.ID)
	return nil
}

// valid tells whether an incoming id is fit for logs, headers and URLs: 1 to 128
// unreserved characters (RFC 3986, 2.3) or one of "+/=:@".
func valid(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '~', c == '+', c == '/', c == '=', c == ':', c == '@':
		default:
			return false
		}
	}
	return true
}

// An id is 12 characters that differ per start of the process (60 random bits)
// and 8 that count, in Crockford's base 32. Nobody may take it for a secret.
const (
	alphabet   = "0123456789abcdefghjkmnpqrstvwxyz"
	startChars = 12
	countChars = 8
	idChars    = startChars + countChars
	perBlock   = 64
)

// source makes ids in blocks, so that one allocation serves 64 requests and no
// request makes a system call.
type source struct {
	start string
	block atomic.Uint64 // blocks handed out
	free  sync.Pool     // of *block
}

type block struct {
	ids  string
	left int // ids not handed out yet
}

func newSource() *source {
	var r [startChars]byte
	// crypto/rand.Read never fails (it crashes the process when the system cannot
	// give randomness).
	_, _ = rand.Read(r[:])
	for i, b := range r {
		r[i] = alphabet[b&31]
	}
	return &source{start: string(r[:])}
}

func (s *source) next() string {
	b, ok := s.free.Get().(*block)
	if !ok {
		b = &block{}
	}
	if b.left == 0 {
		b.ids, b.left = s.fill(s.block.Add(1)-1), perBlock
	}
	b.left--
	id := b.ids[b.left*idChars : (b.left+1)*idChars]
	s.free.Put(b)
	return id
}

func (s *source) fill(number uint64) string {
	buf := make([]byte, 0, perBlock*idChars)
	for i := range uint64(perBlock) {
		n := number*perBlock + i
		buf = append(buf, s.start...)
		for shift := (countChars - 1) * 5; shift >= 0; shift -= 5 {
			buf = append(buf, alphabet[n>>shift&31])
		}
	}
	return string(buf)
}
