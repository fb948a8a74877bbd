package backup

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
)

const (
	magic     = "sluice-backup\n"
	version   = 1
	signedLen = 60 // of the head, what its HMAC covers
	headLen   = signedLen + sha256.Size
	keyLen    = 32
	chunkLen  = 64 << 10
	tagLen    = 16
)

// cost is the work that one guess of a passphrase takes.
type cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint32
}

// defaultCost is the second recommended option of RFC 9106, 4.
func defaultCost() cost { return cost{memory: 64 << 10, passes: 3, lanes: 4} }

// check bounds what a file may ask for.
func (c cost) check() error {
	if c.lanes < 1 || c.lanes > 16 || c.passes < 1 || c.passes > 64 || c.memory < 8*c.lanes || c.memory > 1<<20 {
		return fmt.Errorf("%w: its head asks for %d KiB, %d passes and %d lanes of argon2id", ErrDamaged, c.memory, c.passes, c.lanes)
	}
	return nil
}

// secrets are the keys of one file.
type secrets struct {
	head   []byte
	chunks cipher.AEAD
}

// derive makes the keys of a file from its passphrase, its salt and its cost.
func derive(passphrase string, salt []byte, c cost) (secrets, error) {
	root := argon2.IDKey([]byte(passphrase), salt, c.passes, c.memory, uint8(c.lanes), keyLen)
	head, err := hkdf.Key(sha256.New, root, nil, "sluice backup head", keyLen)
	if err != nil {
		return secrets{}, fmt.Errorf("deriving the key of the head: %w", err)
	}
	key, err := hkdf.Key(sha256.New, root, nil, "sluice backup chunks", keyLen)
	if err != nil {
		return secrets{}, fmt.Errorf("deriving the key of the chunks: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return secrets{}, fmt.Errorf("making the cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return secrets{}, fmt.Errorf("making the cipher: %w", err)
	}
	return secrets{head, gcm}, nil
}

func (s secrets) mac(head []byte) []byte {
	h := hmac.New(sha256.New, s.head)
	h.Write(head)
	return h.Sum(nil)
}

// nonce names a chunk's place. No key seals two chunks of one number, since each
// file has a salt of its own.
func nonce(n uint64, last bool) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint64(b[3:11], n)
	if last {
		b[11] = 1
	}
	return b
}

// sealer writes a file's head and chunks. Close writes the last chunk; without it
// the file is a cut one.
type sealer struct {
	w    io.Writer
	keys secrets
	buf  []byte // less than a chunk is kept, or a whole one that may be the last
	out  []byte
	n    uint64
}

func newSealer(w io.Writer, passphrase string, c cost) (*sealer, error) {
	head := make([]byte, 0, headLen)
	head = append(head, magic...)
	head = binary.BigEndian.AppendUint16(head, version)
	for _, v := range []uint32{c.memory, c.passes, c.lanes} {
		head = binary.BigEndian.AppendUint32(head, v)
	}
	salt := make([]byte, signedLen-len(head))
	if _, err := rand.Read(salt); err != nil {
		return nil, fmt.Errorf("making a salt: %w", err)
	}
	head = append(head, salt...)
	k, err := derive(passphrase, salt, c)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(head, k.mac(head)...)); err != nil {
		return nil, err
	}
	return &sealer{w: w, keys: k, buf: make([]byte, 0, chunkLen)}, nil
}

func (s *sealer) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(s.buf) == chunkLen {
			if err := s.flush(false); err != nil {
				return written - len(p), err
			}
		}
		n := copy(s.buf[len(s.buf):chunkLen], p)
		s.buf, p = s.buf[:len(s.buf)+n], p[n:]
	}
	return written, nil
}

func (s *sealer) flush(last bool) error {
	s.out = s.keys.chunks.Seal(s.out[:0], nonce(s.n, last), s.buf, nil)
	s.buf = s.buf[:0]
	s.n++
	_, err := s.w.Write(s.out)
	return err
}

// Close writes the last chunk. It does not close what is below.
func (s *sealer) Close() error { return s.flush(true) }

// opener reads what a sealer wrote. It gives no byte that was not checked, and
// io.EOF only behind the last chunk.
type opener struct {
	r     *bufio.Reader
	keys  secrets
	chunk []byte // sealed
	plain []byte // not given yet
	n     uint64
	done  bool
}

// newOpener reads a file's head and derives its keys.
func newOpener(r io.Reader, passphrase string) (*opener, error) {
	head := make([]byte, headLen)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("reading the head: %w", err)
	}
	c, salt, err := parseHead(head[:n])
	if err != nil {
		return nil, err
	}
	k, err := derive(passphrase, salt, c)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(k.mac(head[:signedLen]), head[signedLen:]) {
		return nil, ErrPassphrase
	}
	return k.opener(r), nil
}

// parseHead reads what is not sealed. Nothing of it is believed yet.
func parseHead(head []byte) (c cost, salt []byte, err error) {
	if !bytes.HasPrefix(head, []byte(magic)) {
		return cost{}, nil, ErrNoBackup
	}
	if len(head) < headLen {
		return cost{}, nil, ErrCut
	}
	if v := binary.BigEndian.Uint16(head[len(magic):]); v != version {
		return cost{}, nil, fmt.Errorf("%w (version %d)", ErrNewer, v)
	}
	at := func(i int) uint32 { return binary.BigEndian.Uint32(head[len(magic)+2+4*i:]) }
	c = cost{at(0), at(1), at(2)}
	return c, head[len(magic)+14 : signedLen], c.check()
}

// opener reads the chunks that follow the head.
func (s secrets) opener(r io.Reader) *opener {
	return &opener{r: bufio.NewReaderSize(r, chunkLen+tagLen+1), keys: s, chunk: make([]byte, chunkLen+tagLen)}
}

func (o *opener) Read(p []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.done {
			return 0, io.EOF
		}
		if err := o.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

// next opens one chunk.
func (o *opener) next() error {
	size, err := io.ReadFull(o.r, o.chunk)
	last := errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case errors.Is(err, io.EOF): // behind a chunk that was not the last, or behind the head
		return ErrCut
	case last && size < tagLen:
		return ErrCut
	case err != nil && !last:
		return fmt.Errorf("reading the file: %w", err)
	case err == nil:
		if _, err := o.r.Peek(1); errors.Is(err, io.EOF) {
			last = true
		} else if err != nil {
			return fmt.Errorf("reading the file: %w", err)
		}
	}
	sealed := o.chunk[:size]
	plain, err := o.keys.chunks.Open(nil, nonce(o.n, last), sealed, nil)
	if err != nil {
		if last {
			if _, err := o.keys.chunks.Open(nil, nonce(o.n, false), sealed, nil); err == nil {
				return ErrCut
			}
			return fmt.Errorf("%w or cut off, at byte %d", ErrDamaged, headLen+o.n*(chunkLen+tagLen))
		}
		return fmt.Errorf("%w at byte %d", ErrDamaged, headLen+o.n*(chunkLen+tagLen))
	}
	if len(plain) == 0 && o.n > 0 { // no writer leaves the last chunk empty behind a full one
		return fmt.Errorf("%w at byte %d", ErrDamaged, headLen+o.n*(chunkLen+tagLen))
	}
	o.plain, o.done = plain, last
	o.n++
	return nil
}
