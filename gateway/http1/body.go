package http1

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// errUnread is the error of a body whose message is over.
var errUnread = errors.New("the exchange is over")

// How a body's end is known (RFC 9112, 6.3).
const (
	bodyNone = iota
	bodyLength
	bodyChunked
	bodyUntilClose
)

// The places in a chunked body (RFC 9112, 7.1).
const (
	atSize = iota
	atData
	atDataEnd
	atTrailer
)

const (
	maxChunkLine  = 1 << 10  // of a chunk's size line with its extensions
	maxExtensions = 16 << 10 // of all extensions of a body
	directRead    = 4 << 10  // a read at least this long bypasses the buffer
)

// pacer bounds the wait for body bytes.
type pacer interface {
	before() error
	after(n int)
}

// framed decodes one body from a reader.
type framed struct {
	d       *reader
	pace    pacer
	kind    uint8
	at      uint8
	done    bool  // the body was read to its end
	left    int64 // of the body, or of the chunk
	ext     int   // extension bytes so far
	err     error // sticky
	lim     *limits
	trailer *message.Header
}

// start begins a body that follows a head in d.
func (b *framed) start(d *reader, kind uint8, length int64, pace pacer, lim *limits) {
	*b = framed{d: d, kind: kind, left: length, pace: pace, lim: lim}
	b.done = kind == bodyNone || kind == bodyLength && length == 0
	if kind == bodyChunked {
		d.room(max(smallBuffer/2, 2*maxChunkLine))
	}
}

func (b *framed) fail(err error) error {
	b.err = err
	return err
}

// fill reads more bytes into the buffer.
func (b *framed) fill() error {
	if err := b.pace.before(); err != nil {
		return b.fail(err)
	}
	n := b.d.w - b.d.r
	err := b.d.fill()
	b.pace.after(b.d.w - b.d.r - n)
	if err == io.EOF {
		return b.ended()
	}
	if err != nil {
		return b.fail(err)
	}
	return nil
}

// ended is what the end of the connection means.
func (b *framed) ended() error {
	if b.kind == bodyUntilClose {
		b.done = true
		return io.EOF
	}
	return b.fail(io.ErrUnexpectedEOF)
}

// read is io.Reader's Read.
func (b *framed) read(p []byte) (int, error) {
	for {
		if n, err := b.ready(); err != nil || n != 0 {
			if err != nil {
				return 0, err
			}
			if have := b.d.w - b.d.r; have > 0 {
				n = int64(copy(p, b.d.buf.b[b.d.r:b.d.r+int(min(n, int64(have)))]))
				b.d.r += int(n)
				return int(n), b.took(n)
			}
			if len(p) == 0 {
				return 0, nil
			}
			if len(p) >= directRead {
				return b.direct(p[:min(n, int64(len(p)))])
			}
		}
		b.d.room(smallBuffer / 4)
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
}

// direct reads body bytes from the connection into p.
func (b *framed) direct(p []byte) (int, error) {
	if err := b.pace.before(); err != nil {
		return 0, b.fail(err)
	}
	n, err := b.d.conn.Read(p)
	b.pace.after(n)
	if n > 0 {
		return n, b.took(int64(n))
	}
	if err == io.EOF {
		return 0, b.ended()
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, b.fail(err)
}

// next returns body bytes in the buffer, at least one, valid until the next call.
func (b *framed) next() ([]byte, error) {
	for {
		n, err := b.ready()
		if err != nil {
			return nil, err
		}
		if have := b.d.w - b.d.r; n > 0 && have > 0 {
			p := b.d.buf.b[b.d.r : b.d.r+int(min(n, int64(have)))]
			b.d.r += len(p)
			if err := b.took(int64(len(p))); err != nil && err != io.EOF {
				return nil, err
			}
			return p, nil
		}
		want := smallBuffer / 4
		if n > int64(mediumBuffer) {
			want = largeBuffer
		}
		b.d.room(want)
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

// took notes n body bytes as read. At the end of a body of known length it says
// io.EOF at once, so that the reader need not ask again.
func (b *framed) took(n int64) error {
	if b.kind == bodyUntilClose {
		return nil
	}
	if b.left -= n; b.left == 0 {
		if b.kind == bodyLength {
			b.done = true
			return io.EOF
		}
		b.at = atDataEnd
	}
	return nil
}

// ready returns how many body bytes come next; 0 when more bytes must be read
// to tell. At the end it returns io.EOF.
func (b *framed) ready() (int64, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.done {
		return 0, io.EOF
	}
	switch b.kind {
	case bodyLength:
		return b.left, nil
	case bodyUntilClose:
		return 1 << 62, nil
	}
	for {
		switch b.at {
		case atData:
			return b.left, nil
		case atDataEnd:
			w := b.d.buffered()
			if len(w) > 0 && w[0] != '\r' || len(w) > 1 && w[1] != '\n' {
				return 0, b.fail(malformed("chunk data does not end with CRLF"))
			}
			if len(w) < 2 {
				return 0, nil
			}
			b.d.r += 2
			b.at = atSize
		case atSize:
			if ok, err := b.size(); !ok || err != nil {
				return 0, err
			}
		default:
			if ok, err := b.section(); !ok || err != nil {
				return 0, err
			}
			b.done = true
			return 0, io.EOF
		}
	}
}

// size reads a chunk's size line: 1*HEXDIG, extensions, CRLF.
func (b *framed) size() (bool, error) {
	w := b.d.buffered()
	i := bytes.IndexByte(w, '\n')
	if i < 0 {
		if len(w) > maxChunkLine || bytes.IndexByte(w[:max(len(w)-1, 0)], '\r') >= 0 {
			return false, b.fail(malformed("a chunk size line is too long or has a CR inside"))
		}
		return false, nil
	}
	if i == 0 || w[i-1] != '\r' || i > maxChunkLine {
		return false, b.fail(malformed("a chunk size line does not end with CRLF, or is too long"))
	}
	l := w[:i-1]
	b.d.r += i + 1
	n, digits := int64(0), 0
	for digits < len(l) && digits < 16 {
		v := hex(l[digits])
		if v < 0 {
			break
		}
		n = n<<4 | int64(v)
		digits++
	}
	ext := l[digits:]
	if digits == 0 || n < 0 || n > 1<<60 || len(ext) > 0 && ext[0] != ';' || !validValue(ext) {
		return false, b.fail(malformed("a chunk size is malformed"))
	}
	if b.ext += len(ext); b.ext > maxExtensions {
		return false, b.fail(malformed("chunk extensions are too long"))
	}
	b.left, b.at = n, atData
	if n == 0 {
		b.at = atTrailer
	}
	return true, nil
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// section reads the trailer section (RFC 9112, 7.1.2). Its fields are copied:
// they are few and rare.
func (b *framed) section() (bool, error) {
	w := b.d.buffered()
	if len(w) >= 2 && w[0] == '\r' && w[1] == '\n' {
		b.d.r += 2
		return true, nil
	}
	b.d.room(b.lim.trailer + 2)
	w = b.d.buffered()
	end := bytes.Index(w, []byte("\r\n\r\n"))
	if end < 0 {
		for p := 0; ; { // a bad line end is refused now, not waited behind
			_, next, bad := line(w, p)
			if bad != nil {
				return false, b.fail(bad)
			}
			if p = next; next == 0 {
				break
			}
		}
		if len(w) > b.lim.trailer {
			return false, b.fail(malformed("the trailer section is too large"))
		}
		return false, nil
	}
	var f framing
	h := new(message.Header)
	lim := limits{head: b.lim.trailer, fields: b.lim.fields}
	if _, bad := fields(slices.Clone(w[:end+4]), 0, h, &f, &lim); bad != nil {
		return false, b.fail(malformed("the trailer section is malformed: " + bad.message))
	}
	for fd := range h.Fields() {
		if forbiddenTrailer(fd) {
			return false, b.fail(malformed("the trailer section has a field that belongs in the head"))
		}
	}
	b.trailer = h
	b.d.r += end + 4
	return true, nil
}

// forbiddenTrailer names what RFC 9110, 6.5.1 keeps out of trailers: framing,
// routing, authentication, request modifiers, content format.
func forbiddenTrailer(f *message.Field) bool {
	switch f.Known {
	case message.Unknown, message.Date, message.Via, message.XRequestID:
	default:
		return true
	}
	for _, n := range [...]string{"content-encoding", "content-range", "range", "max-forwards", "pragma", "if-match",
		"if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "www-authenticate", "age", "expires",
		"retry-after", "vary", "http2-settings", "keep-alive"} {
		if message.EqualFold(n, f.Name) {
			return true
		}
	}
	return false
}
