package wire

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/sluice-gateway/sluice/gateway/message"
)

// errUnread is the error of a body whose message is over.
var ErrUnread = errors.New("the exchange is over")

// How a body's end is known (RFC 9112, 6.3).
const (
	BodyNone = iota
	BodyLength
	BodyChunked
	BodyUntilClose
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

// Pacer bounds the wait for body bytes.
type Pacer interface {
	Before() error // may end the wait before it begins
	After(n int)   // n bytes came
}

// Framed decodes one body from a reader.
type Framed struct {
	D       *Reader // where the bytes come from
	pace    Pacer
	Kind    uint8 // BodyNone and so on
	at      uint8
	Done    bool  // the body was read to its end
	Left    int64 // of the body, or of the chunk
	ext     int   // extension bytes so far
	Err     error // sticky
	lim     *Limits
	Trailer *message.Header // of a chunked body, once Done; nil: none
}

// Start begins a body that follows a head in d.
func (b *Framed) Start(d *Reader, kind uint8, length int64, pace Pacer, lim *Limits) {
	*b = Framed{D: d, Kind: kind, Left: length, pace: pace, lim: lim}
	b.Done = kind == BodyNone || kind == BodyLength && length == 0
	if kind == BodyChunked {
		d.Room(max(SmallBuffer/2, 2*maxChunkLine))
	}
}

func (b *Framed) fail(err error) error {
	b.Err = err
	return err
}

// fill reads more bytes into the buffer.
func (b *Framed) fill() error {
	if err := b.pace.Before(); err != nil {
		return b.fail(err)
	}
	n := b.D.W - b.D.R
	err := b.D.fill()
	b.pace.After(b.D.W - b.D.R - n)
	if err == io.EOF {
		return b.ended()
	}
	if err != nil {
		return b.fail(err)
	}
	return nil
}

// ended is what the end of the connection means.
func (b *Framed) ended() error {
	if b.Kind == BodyUntilClose {
		b.Done = true
		return io.EOF
	}
	return b.fail(io.ErrUnexpectedEOF)
}

// Read is io.Reader's Read.
func (b *Framed) Read(p []byte) (int, error) {
	for {
		if n, err := b.Ready(); err != nil || n != 0 {
			if err != nil {
				return 0, err
			}
			if have := b.D.W - b.D.R; have > 0 {
				n = int64(copy(p, b.D.Buf.B[b.D.R:b.D.R+int(min(n, int64(have)))]))
				b.D.R += int(n)
				return int(n), b.took(n)
			}
			if len(p) == 0 {
				return 0, nil
			}
			if len(p) >= directRead {
				return b.direct(p[:min(n, int64(len(p)))])
			}
		}
		b.D.Room(SmallBuffer / 4)
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
}

// direct reads body bytes from the connection into p.
func (b *Framed) direct(p []byte) (int, error) {
	if err := b.pace.Before(); err != nil {
		return 0, b.fail(err)
	}
	n, err := b.D.Conn.Read(p)
	b.pace.After(n)
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

// Next returns body bytes in the buffer, at least one, valid until the next call.
func (b *Framed) Next() ([]byte, error) {
	for {
		n, err := b.Ready()
		if err != nil {
			return nil, err
		}
		if have := b.D.W - b.D.R; n > 0 && have > 0 {
			p := b.D.Buf.B[b.D.R : b.D.R+int(min(n, int64(have)))]
			b.D.R += len(p)
			if err := b.took(int64(len(p))); err != nil && err != io.EOF {
				return nil, err
			}
			return p, nil
		}
		want := SmallBuffer / 4
		if n > int64(MediumBuffer) {
			want = LargeBuffer
		}
		b.D.Room(want)
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

// took notes n body bytes as read. At the end of a body of known length it says
// io.EOF at once, so that the reader need not ask again.
func (b *Framed) took(n int64) error {
	if b.Kind == BodyUntilClose {
		return nil
	}
	if b.Left -= n; b.Left == 0 {
		if b.Kind == BodyLength {
			b.Done = true
			return io.EOF
		}
		b.at = atDataEnd
	}
	return nil
}

// Ready returns how many body bytes come next; 0 when more bytes must be read
// to tell. At the end it returns io.EOF.
func (b *Framed) Ready() (int64, error) {
	if b.Err != nil {
		return 0, b.Err
	}
	if b.Done {
		return 0, io.EOF
	}
	switch b.Kind {
	case BodyLength:
		return b.Left, nil
	case BodyUntilClose:
		return 1 << 62, nil
	}
	for {
		switch b.at {
		case atData:
			return b.Left, nil
		case atDataEnd:
			w := b.D.Buffered()
			if len(w) > 0 && w[0] != '\r' || len(w) > 1 && w[1] != '\n' {
				return 0, b.fail(Malformed("chunk data does not end with CRLF"))
			}
			if len(w) < 2 {
				return 0, nil
			}
			b.D.R += 2
			b.at = atSize
		case atSize:
			if ok, err := b.size(); !ok || err != nil {
				return 0, err
			}
		default:
			if ok, err := b.section(); !ok || err != nil {
				return 0, err
			}
			b.Done = true
			return 0, io.EOF
		}
	}
}

// size reads a chunk's size line: 1*HEXDIG, extensions, CRLF.
func (b *Framed) size() (bool, error) {
	w := b.D.Buffered()
	i := bytes.IndexByte(w, '\n')
	if i < 0 {
		if len(w) > maxChunkLine || bytes.IndexByte(w[:max(len(w)-1, 0)], '\r') >= 0 {
			return false, b.fail(Malformed("a chunk size line is too long or has a CR inside"))
		}
		return false, nil
	}
	if i == 0 || w[i-1] != '\r' || i > maxChunkLine {
		return false, b.fail(Malformed("a chunk size line does not end with CRLF, or is too long"))
	}
	l := w[:i-1]
	b.D.R += i + 1
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
		return false, b.fail(Malformed("a chunk size is malformed"))
	}
	if b.ext += len(ext); b.ext > maxExtensions {
		return false, b.fail(Malformed("chunk extensions are too long"))
	}
	b.Left, b.at = n, atData
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
func (b *Framed) section() (bool, error) {
	w := b.D.Buffered()
	if len(w) >= 2 && w[0] == '\r' && w[1] == '\n' {
		b.D.R += 2
		return true, nil
	}
	b.D.Room(b.lim.Trailer + 2)
	w = b.D.Buffered()
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
		if len(w) > b.lim.Trailer {
			return false, b.fail(Malformed("the trailer section is too large"))
		}
		return false, nil
	}
	var f Framing
	h := new(message.Header)
	lim := Limits{Head: b.lim.Trailer, Fields: b.lim.Fields}
	if _, bad := fields(slices.Clone(w[:end+4]), 0, h, &f, &lim); bad != nil {
		return false, b.fail(Malformed("the trailer section is malformed: " + bad.Message))
	}
	for fd := range h.Fields() {
		if fd.TrailerForbidden() {
			return false, b.fail(Malformed("the trailer section has a field that belongs in the head"))
		}
	}
	b.Trailer = h
	b.D.R += end + 4
	return true, nil
}
