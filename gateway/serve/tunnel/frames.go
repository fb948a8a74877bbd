package tunnel

import (
	"crypto/rand"
	"encoding/binary"
)

// The parts of a frame's head (RFC 6455, 5.2).
const (
	finalBit = 0x80
	opcodes  = 0x0f
	opClose  = 0x8
	maskBit  = 0x80
	lengths  = 0x7f
	length16 = 126 // two bytes of length follow
	length64 = 127 // eight
	maskSize = 4
)

// goingAway is the status code of a peer that leaves (RFC 6455, 7.4.1).
const goingAway = 1001

// frames follows the heads of WebSocket frames in one direction, keeping none of
// their bytes, so that one knows where a frame ends. It judges nothing: what breaks
// the protocol passes unchanged and is for the peers to refuse.
type frames struct {
	left   uint64 // of the payload
	first  bool   // the head's first byte was seen
	second bool   // and its second
	extent uint8  // bytes of the length that are still to come
	mask   uint8  // bytes of the mask that are still to come
	close  bool   // the frame in work is a close frame
	closed bool   // a close frame has passed: nothing may follow it
	lost   bool   // a length that nobody can follow has passed
}

// boundary tells whether a frame may be put in here. Between the fragments of a
// message is fine for a control frame (RFC 6455, 5.4).
func (f *frames) boundary() bool { return !f.first && !f.lost }

// pass follows p and returns how many bytes of it were seen: all, or with stop those
// up to the end of the frame in work.
func (f *frames) pass(p []byte, stop bool) int {
	for i := 0; i < len(p); {
		switch {
		case f.lost:
			return len(p)
		case stop && f.boundary():
			return i
		case f.first && f.second && f.extent == 0 && f.mask == 0:
			n := min(uint64(len(p)-i), f.left)
			i += int(n)
			f.left -= n
			f.settle()
		default:
			f.head(p[i])
			i++
		}
	}
	return len(p)
}

// head takes one byte of a frame's head.
func (f *frames) head(b byte) {
	switch {
	case !f.first:
		f.first, f.close = true, b&opcodes == opClose
		return
	case !f.second:
		f.second, f.left = true, uint64(b&lengths)
		switch b & lengths {
		case length16:
			f.extent, f.left = 2, 0
		case length64:
			f.extent, f.left = 8, 0
		}
		if b&maskBit != 0 {
			f.mask = maskSize
		}
	case f.extent > 0:
		f.left = f.left<<8 | uint64(b)
		if f.extent--; f.extent == 0 && f.left>>63 != 0 { // not allowed (RFC 6455, 5.2)
			f.lost = true
		}
	default:
		f.mask--
	}
	f.settle()
}

// settle ends the frame where all of it has passed.
func (f *frames) settle() {
	if f.extent == 0 && f.mask == 0 && f.left == 0 && !f.lost {
		f.closed = f.closed || f.close
		f.first, f.second = false, false
	}
}

// closeFrame makes a close frame (RFC 6455, 5.5.1); a client's is masked, with a key
// that nobody can guess. The reason has 123 bytes at most.
func closeFrame(code uint16, reason string, fromClient bool) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, code), reason...)
	if !fromClient {
		return append([]byte{finalBit | opClose, byte(len(body))}, body...)
	}
	var key [maskSize]byte
	_, _ = rand.Read(key[:]) // never fails
	for i := range body {
		body[i] ^= key[i%maskSize]
	}
	return append(append([]byte{finalBit | opClose, maskBit | byte(len(body))}, key[:]...), body...)
}
