// Package frame is the form in which a batch of records lies in a stream and on a
// gateway's disk: a header with its numbers, a checksum, the body, compressed.
package frame

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/s2"
)

// A frame of version 1 is "SLF", version, codec, compression, start (8 bytes), then
// varints: shard, sequence, base, count, flags, first time, last less first, bytes
// of the body before compression; then CRC-32C (Castagnoli, little endian) of all
// before it and of the body; then the body.
const (
	magic          = "SLF"
	frameVersion   = 1
	codecRecordV1  = 1 // the message Batch of pkg/record/record.proto
	compressNone   = 0
	compressS2     = 1
	flagEnd        = 1
	maxBody        = 1 << 20 // before compression; nothing that a producer makes is near it
	minBodyToPress = 64
)

// MaxShards bounds the shards of an installation.
const MaxShards = 16

// MaxSize is longer than any frame.
const MaxSize = maxBody + maxBody/6 + 256

// Why a frame cannot be read. All are hopeless: such an entry goes to the dead
// letters.
var (
	ErrNotFrame = errors.New("not a frame of records")
	ErrVersion  = errors.New("a frame of a version, codec or compression that is not known here; update the pump first, then the gateways")
	ErrCorrupt  = errors.New("a corrupt frame")
)

// StartID is the random name of one start of a producer's process. The node's beat
// says which node it was.
type StartID [8]byte

// String is the id in hex.
func (s StartID) String() string { return hex.EncodeToString(s[:]) }

// NewStartID makes a random id.
func NewStartID() (s StartID) {
	_, _ = rand.Read(s[:]) // never fails (crypto/rand)
	return s
}

// ParseStartID reads what String wrote.
func ParseStartID(text string) (s StartID, err error) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == len(s) {
		return StartID(b), nil
	}
	return s, fmt.Errorf("%q is not the id of a start: 16 hex digits are", text)
}

// Header says what a batch is.
type Header struct {
	Start StartID
	Shard int
	Seq   uint64 // 1 for the first batch of this start and shard, without holes
	// Base is how many records of this start and shard came before: those of earlier
	// batches and those that were lost. Record i of the batch is number Base+i.
	Base  uint64
	Count int       // records in the batch; 0 for a mark that only tells Base
	End   bool      // the start sends nothing after this
	First time.Time // of the earliest and the latest record
	Last  time.Time
}

// RecordID is the name of one record of the batch, the same at every delivery.
func (h *Header) RecordID(i int) string {
	b := make([]byte, 0, 48)
	b = hex.AppendEncode(b, h.Start[:])
	return string(fmt.Appendf(b, "-%d-%d-%d", h.Shard, h.Seq, i))
}

// Append appends a frame whose body is compressed when that makes it smaller.
// scratch is for the compression and is returned for the next call.
func Append(dst []byte, h *Header, body, scratch []byte) (frame, kept []byte) {
	compression := byte(compressNone)
	if len(body) >= minBodyToPress {
		if n := s2.MaxEncodedLen(len(body)); cap(scratch) < n {
			scratch = make([]byte, n)
		}
		if pressed := s2.Encode(scratch[:cap(scratch)], body); len(pressed) < len(body) {
			return finish(appendHeader(dst, h, compressS2, len(body)), len(dst), pressed), scratch
		}
	}
	return finish(appendHeader(dst, h, compression, len(body)), len(dst), body), scratch
}

func appendHeader(dst []byte, h *Header, compression byte, size int) []byte {
	dst = append(dst, magic...)
	dst = append(dst, frameVersion, codecRecordV1, compression)
	dst = append(dst, h.Start[:]...)
	var flags uint64
	if h.End {
		flags |= flagEnd
	}
	first, last := Micros(h.First), Micros(h.Last)
	for _, n := range [...]uint64{uint64(h.Shard), h.Seq, h.Base, uint64(h.Count), flags, first, max(last, first) - first, uint64(size)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func finish(dst []byte, from int, body []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli) // made once by the library
	sum := crc32.Update(crc32.Checksum(dst[from:], table), table, body)
	return append(binary.LittleEndian.AppendUint32(dst, sum), body...)
}

// Micros is a time as microseconds since 1970: 0 for the zero time and for times before 1970.
func Micros(t time.Time) uint64 { return uint64(max(t.UnixMicro(), 0)) }

// Frame is a frame whose header was read and whose checksum is right.
type Frame struct {
	Header
	compression byte
	size        int // of the body before compression
	packed      []byte
}

// Parse reads a frame, whose bytes it goes on using. Errors are ErrNotFrame,
// ErrVersion or ErrCorrupt, with details.
func Parse(b []byte) (f Frame, err error) {
	h := &f.Header
	fixed := len(magic) + 3 + len(h.Start)
	if len(b) < fixed || string(b[:len(magic)]) != magic {
		return Frame{}, ErrNotFrame
	}
	if b[3] != frameVersion {
		return Frame{}, fmt.Errorf("%w (version %d)", ErrVersion, b[3])
	}
	h.Start = StartID(b[6:14])
	at := fixed
	var n [8]uint64
	for i := range n {
		v, used := binary.Uvarint(b[at:])
		if used <= 0 {
			return Frame{}, fmt.Errorf("%w: its header ends early", ErrCorrupt)
		}
		n[i], at = v, at+used
	}
	if len(b) < at+4 {
		return Frame{}, fmt.Errorf("%w: its header ends early", ErrCorrupt)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	body := b[at+4:]
	if sum := crc32.Update(crc32.Checksum(b[:at], table), table, body); sum != binary.LittleEndian.Uint32(b[at:]) {
		return Frame{}, fmt.Errorf("%w: its checksum is wrong", ErrCorrupt)
	}
	const most = 1 << 53 // what scripts in Redis count exactly
	if n[0] >= MaxShards || n[1] == 0 || n[1] > most || n[2] > most || n[3] > maxBody || n[5] > most || n[6] > most || n[7] > maxBody {
		return Frame{}, fmt.Errorf("%w: a number in its header is out of range", ErrCorrupt)
	}
	// A known checksum with an unknown codec comes from a newer gateway.
	if b[4] != codecRecordV1 || b[5] > compressS2 {
		return Frame{}, fmt.Errorf("%w (codec %d, compression %d)", ErrVersion, b[4], b[5])
	}
	h.Shard, h.Seq, h.Base, h.Count, h.End = int(n[0]), n[1], n[2], int(n[3]), n[4]&flagEnd != 0
	if n[5] > 0 {
		h.First = time.UnixMicro(int64(n[5])).UTC()
		h.Last = time.UnixMicro(int64(n[5] + n[6])).UTC()
	}
	f.compression, f.size, f.packed = b[5], int(n[7]), body
	return f, nil
}

// Body is the body before compression, in memory of its own: a message Batch of
// pkg/record/record.proto. Errors are ErrCorrupt with details.
func (f *Frame) Body() ([]byte, error) {
	if f.compression == compressNone {
		if len(f.packed) != f.size {
			return nil, fmt.Errorf("%w: %d bytes where %d were said", ErrCorrupt, len(f.packed), f.size)
		}
		return append(make([]byte, 0, f.size), f.packed...), nil
	}
	if n, err := s2.DecodedLen(f.packed); err != nil || n != f.size {
		return nil, fmt.Errorf("%w: the body's size is wrong", ErrCorrupt)
	}
	out, err := s2.Decode(make([]byte, f.size), f.packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return out, nil
}
